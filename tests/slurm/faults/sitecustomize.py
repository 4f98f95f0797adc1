"""Runs at the start of every Python below a job of the SLURM tests: notes what it sees, makes the faults they order.

It is on PYTHONPATH then. ROCO_TEST_FAULTS is a folder in which a file `{script}.{fault}` orders one fault, once.
"""

import json
import os
import sys
import time
from pathlib import Path

SCRIPTS = ("target", "adversarial_cells", "evaluate", "retrain", "robustness")


def script_of_this_process() -> str:
    """The name of the workflow script that is run here, or nothing."""
    program = Path(sys.orig_argv[1]).name if len(sys.orig_argv) > 1 else ""
    return next((script for script in SCRIPTS if program.endswith(f".{script}.py")), "")


def note(folder: Path, script: str) -> None:
    """Adds a line on this start."""
    keys = ("SLURM_JOB_ID", "CUDA_VISIBLE_DEVICES")
    line = {"script": script, "began": time.time(), **{key: os.environ.get(key) for key in keys}}
    with (folder / "notes.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")


def is_ordered(folder: Path, script: str, fault: str) -> bool:
    """Takes an order, if there is one: the first process that moves the file has it."""
    try:
        (folder / f"{script}.{fault}").rename(folder / f"{script}.{fault}.taken")
    except FileNotFoundError:
        return False
    return True


def obey(folder: Path, script: str) -> None:
    """Makes the faults that are ordered for this script."""
    if is_ordered(folder, script, "hold"):
        part = folder / f"{script}.held.part"
        part.write_text(os.environ["SLURM_JOB_ID"])
        part.rename(folder / f"{script}.held")
        while not (folder / f"{script}.release").exists():
            time.sleep(0.1)
    if is_ordered(folder, script, "memory"):
        hoard = [bytes(1 << 20).replace(b"\0", b"\1") * 64 for _ in range(48)]
        time.sleep(300)
        del hoard


if "ROCO_TEST_FAULTS" in os.environ and script_of_this_process():
    note(Path(os.environ["ROCO_TEST_FAULTS"]), script_of_this_process())
    obey(Path(os.environ["ROCO_TEST_FAULTS"]), script_of_this_process())
