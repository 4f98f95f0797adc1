"""Jobs that an earlier run of a study left in SLURM's queue, so that a new run does no work twice.

A killed Snakemake leaves its jobs behind: queued jobs would start beside those that the new run submits. Jobs are
submitted by Snakemake's SLURM plugin, which gives all jobs of a run the same name.
"""

import logging
import shutil
import subprocess
import time
from pathlib import Path

from roco.errors import ClusterError
from roco.files import atomic, is_there, opened

log = logging.getLogger("roco")

NOTE = ".slurm_run"
SECONDS_BETWEEN_REMINDERS = 600.0


def note_run(folder: str | Path, run: str) -> None:
    """Keeps the name of a run's jobs in SLURM's queue, for the next run in this results folder."""
    with atomic(Path(folder) / NOTE) as temporary:
        temporary.write_text(f"{run}\n")


def settle_earlier_run(folder: str | Path, *, seconds_between_looks: float = 10.0) -> None:
    """Cancels the queued jobs of the run before, and waits for its running jobs, whose results go to the store.

    A user who does not want to wait cancels them with scancel.

    Raises:
        ClusterError: SLURM does not answer, so that two jobs could work on the same files.
        FileAccessError: the note of that run cannot be read now.
    """
    note = Path(folder) / NOTE
    run = _noted(note) if is_there(note) else ""
    if run and shutil.which("squeue") is None:
        log.warning("%s: the run before used SLURM, which is not here; see to it that its jobs have ended", note)
        return
    reminded = -SECONDS_BETWEEN_REMINDERS
    while run and (jobs := jobs_of_run(run)):
        running = [number for number, state in jobs.items() if state != "PENDING"]
        if queued := [number for number in jobs if number not in running]:
            # Only pending jobs: a job that starts at this moment runs on.
            _ask("scancel", "--state=PENDING", *queued)
            log.warning("jobs of the run before, cancelled in the queue: %s", " ".join(queued))
        if running and time.monotonic() - reminded >= SECONDS_BETWEEN_REMINDERS:
            reminded = time.monotonic()
            log.warning("jobs of the run before, waited for (scancel them not to): %s", " ".join(running))
        time.sleep(seconds_between_looks if running else 1.0)


def _noted(note: Path) -> str:
    with opened(note) as file:
        return file.read().decode(errors="replace").strip()


def jobs_of_run(run: str) -> dict[str, str]:
    """The state of each unfinished job of a run, by the job's number.

    Raises:
        ClusterError: SLURM does not answer.
    """
    lines = _ask("squeue", "--noheader", "--format=%i|%T", f"--name={run}").splitlines()
    return {number: state for number, _, state in (line.strip().partition("|") for line in lines) if state}


def _ask(*command: str) -> str:
    """The output of a SLURM command."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    except subprocess.CalledProcessError as error:
        reason = " ".join(error.stderr.split()) or f"exit code {error.returncode}"
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = str(error)
    raise ClusterError(f"{command[0]} fails, and jobs of the run before may still be at work: {reason}")
