"""Kills a running study again and again at random moments, and compares what it ends with with an uninterrupted run.

By hand: `python tests/workflow/chaos.py --kills 100`. Each kill is drawn: SIGKILL, SIGINT or SIGTERM to all processes
of the run, or SIGKILL to Snakemake alone, whose jobs then live on beside the next run. The same command follows each.
A study that has ended begins anew until there were enough kills.
"""

import argparse
import collections
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from study import TINY, Study

# How many seconds processes have to end after SIGINT and SIGTERM.
PATIENCE = 60
WAYS = {"SIGKILL to all": 4, "SIGINT to all": 2, "SIGTERM to all": 2, "SIGKILL to Snakemake": 3}


@dataclass
class Tally:
    """What happened.

    Attributes:
        kills: how many there were of each way.
        laps: how many studies ran to their end.
        differences: files that are not as in the uninterrupted run, with the lap.
        complaints: how a run ended that was not killed and did not succeed.
    """

    kills: collections.Counter[str] = field(default_factory=collections.Counter)
    laps: int = 0
    differences: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(self.kills.values())

    @property
    def clean(self) -> bool:
        return not self.differences and not self.complaints


def alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(groups: list[int], *, seconds: float = 600) -> None:
    """Waits until no process of these groups is left."""
    end = time.monotonic() + seconds
    while any(alive(group) for group in groups):
        if time.monotonic() > end:
            raise TimeoutError(f"processes of {groups} do not end")
        time.sleep(0.2)


def kill(run: subprocess.Popen, way: str) -> None:
    """Ends a run in one of the ways; after SIGINT and SIGTERM it may end by itself."""
    if way == "SIGKILL to Snakemake":
        run.kill()
    else:
        os.killpg(run.pid, getattr(signal, way.split()[0]))
        if way != "SIGKILL to all":
            try:
                run.wait(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(run.pid, signal.SIGKILL)
    run.wait()


def one_lap(study: Study, tally: Tally, *, kills: int, longest: float, generator: random.Random) -> None:
    """Runs a study to its end, through at most so many kills in all."""
    groups: list[int] = []
    while True:
        run = study.start()
        groups.append(run.pid)
        try:
            run.wait(timeout=generator.uniform(0.5, longest) if tally.total < kills else None)
        except subprocess.TimeoutExpired:
            way = generator.choices(list(WAYS), list(WAYS.values()))[0]
            kill(run, way)
            tally.kills[way] += 1
            continue
        if run.returncode:
            tally.complaints.append((study.folder / "snakemake.log").read_text()[-3000:])
        break
    wait_for(groups)


def chaos(folder: Path, expected: dict[str, bytes], *, kills: int, seed: int, longest: float) -> Tally:
    """Kills studies until there were enough kills, each compared with what is expected at its end."""
    generator, tally = random.Random(seed), Tally()
    while tally.total < kills and not tally.complaints:
        study = Study(folder / f"lap_{tally.laps}", TINY)
        one_lap(study, tally, kills=kills, longest=longest, generator=generator)
        found = study.artifacts()
        names = sorted(expected.keys() | found.keys())
        tally.differences += [f"{study.folder}: {name}" for name in names if expected.get(name) != found.get(name)]
        tally.laps += 1
        print(f"lap {tally.laps}: {dict(tally.kills)}, {len(tally.differences)} differences", flush=True)
        if tally.clean:
            shutil.rmtree(study.folder)
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--longest", type=float, help="seconds before a kill at most; a third of a run, if not given")
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder, if not given")
    arguments = parser.parse_args()
    folder = (arguments.folder or Path(tempfile.mkdtemp(prefix="chaos_"))).resolve()
    began = time.monotonic()
    whole = Study(folder / "uninterrupted", TINY)
    result = whole.run()
    if result.returncode:
        sys.exit(result.stderr[-3000:])
    seconds = time.monotonic() - began
    expected = whole.artifacts()
    print(f"uninterrupted: {seconds:.0f} s, {len(expected)} files, in {folder}", flush=True)
    longest = arguments.longest or seconds / 3
    tally = chaos(folder, expected, kills=arguments.kills, seed=arguments.seed, longest=longest)
    print(f"{tally.total} kills in {tally.laps} studies: {dict(tally.kills)}")
    print("\n".join([*tally.differences, *tally.complaints]) or "all files as in the uninterrupted run")
    sys.exit(not tally.clean)


if __name__ == "__main__":
    main()
