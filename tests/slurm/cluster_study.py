"""The tiny study through SLURM, with faults to order and what its jobs noted."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import yaml
from cluster import Cluster
from study import REPOSITORY, TINY, Study

from roco.study.slurm import NOTE

# One target alone, so that it is known which jobs there are when.
CONFIG = TINY | {"targets": TINY["targets"] | {"test": None}}
PROFILE = REPOSITORY / "profiles" / "slurm" / "profile.yaml"
FAULTS = Path(__file__).parent / "faults"


def small_profile(**more: object) -> dict:
    """The profile that users have, with less memory and time for jobs, and shorter waits."""
    profile = yaml.safe_load(PROFILE.read_text())
    for resources in profile["set-resources"].values():
        resources |= {"mem_mb": "1500 * attempt", "runtime": "15 * attempt"}
    return profile | {"latency-wait": 10, **more}


class ClusterStudy(Study):
    """A study with a profile of its own, whose jobs go through a cluster."""

    def __init__(self, folder: Path, config: dict, *, cluster: Cluster, profile: dict) -> None:
        super().__init__(folder, config)
        self.cluster = cluster
        self.faults = folder / "faults"
        self.faults.mkdir()
        (folder / "profile").mkdir()
        (folder / "profile" / "profile.yaml").write_text(yaml.safe_dump(profile))
        path = os.pathsep.join(filter(None, (str(FAULTS), os.environ.get("PYTHONPATH"))))
        self.environment = os.environ | {"PYTHONPATH": path, "ROCO_TEST_FAULTS": str(self.faults)}
        self.log = folder / "snakemake.log"
        self.runs: list[subprocess.Popen] = []

    def command(self, *arguments: str) -> list[str]:
        # In the background of a shell, Ctrl-C would be ignored.
        start = ["env", "--default-signal=INT", sys.executable, str(Path(__file__).with_name("impatient_snakemake.py"))]
        files = ("--snakefile", str(REPOSITORY / "Snakefile"), "--configfile", "config.yaml", "--profile", "profile")
        return [*start, *files, *arguments]

    def artifacts(self) -> dict[str, bytes]:
        return {name: content for name, content in super().artifacts().items() if name != NOTE}

    def start(self, *arguments: str) -> subprocess.Popen:
        """Starts it; what it says is added to the log."""
        with self.log.open("a") as log:
            run = subprocess.Popen(
                self.command(*arguments),
                cwd=self.folder,
                env=self.environment,
                start_new_session=True,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.runs.append(run)
        return run

    def end(self) -> None:
        """Ends what a failed test has left."""
        for run in self.runs:
            if run.poll() is None:
                os.killpg(run.pid, signal.SIGKILL)
                run.wait()
        for number in self.cluster.jobs("%i"):
            self.cluster.ask("scancel", *number)
        # A cancelled job can leave the Snakemake within it behind, which nobody else ends.
        for number in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)

    def processes(self) -> list[int]:
        """The processes that have the environment of this study's jobs."""
        mark = f"ROCO_TEST_FAULTS={self.faults}".encode()
        found = []
        for file in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if mark in file.read_bytes().split(b"\0"):
                    found.append(int(file.parent.name))
        return found

    def finish(self, run: subprocess.Popen, *, seconds: float = 900.0) -> None:
        """Waits for a run's end, which has to be a good one."""
        assert run.wait(timeout=seconds) == 0, self.said()[-5000:]

    def said(self) -> str:
        """All that Snakemake has printed."""
        return self.log.read_text()

    def order(self, script: str, fault: str) -> None:
        """The next job of a rule is to have this fault."""
        (self.faults / f"{script}.{fault}").touch()

    def notes(self, script: str = "") -> list[dict]:
        """What each start of a job noted: its script, SLURM's number, its GPUs, when."""
        file = self.faults / "notes.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        return [note for note in map(json.loads, lines) if script in ("", note["script"])]

    def jobs(self) -> dict[str, dict[str, str]]:
        """What SLURM knows of each job of the study's runs, by its number, in the order of submission."""
        names = re.findall(r"SLURM run ID: (\S+)", self.said())
        lines = self.cluster.ask("scontrol", "--oneliner", "show", "jobs").splitlines()
        facts = [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines]
        found = {fact["JobId"]: fact for fact in facts if fact.get("JobName") in names}
        return dict(sorted(found.items(), key=lambda item: int(item[0])))

    def held(self, script: str) -> str:
        """Waits for the job that obeys an order to hold; SLURM's number of it."""
        self.cluster.wait_for((self.faults / f"{script}.held").exists)
        return (self.faults / f"{script}.held").read_text()

    def release(self, script: str) -> None:
        """Lets that job go on."""
        (self.faults / f"{script}.release").touch()
