"""Evaluations spread over worker processes, each with one thread: run as `python -m roco.workers` at the other end.

A worker is an interpreter of its own: it reads a task a line, writes the records of its genomes to the store and says
so. When a worker dies of several genomes, each is tried alone; when it dies of one, that is tried once more; the second
time, or when its time is up, it gets a failed record, and the others go on. Such a record is not kept in the store: it
tells of this machine on this day. Nothing here imports torch before a worker has something to train.
"""

import json
import logging
import os
import sys
from collections.abc import Sequence
from typing import Any

from roco.config import HalvingConfig
from roco.crew import RUNG_KIND, Crew, Task
from roco.errors import RocoError
from roco.evaluation import EvaluationSettings, Evaluator
from roco.halving import stopped
from roco.runtime import configure_logging, leave, pause_collection
from roco.space.genome import Genome
from roco.store import Store

log = logging.getLogger("roco")


def evaluate_genomes(
    genomes: Sequence[Genome],
    settings: EvaluationSettings,
    *,
    store: Store,
    workers: int,
    log_file: str | None = None,
    time_limit_minutes: float | None = None,
    halving: HalvingConfig | None = None,
    objectives: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """The evaluation records of genomes, in their order; what the store has is not computed again.

    Args:
        genomes: with different keys.
        settings: of all evaluations.
        store: where finished evaluations are looked up and kept.
        workers: genomes at once: each in a process of its own on a CPU, side by side in one process on a GPU.
        log_file: where the workers log; stderr, if not given.
        time_limit_minutes: see `Crew`; with halving, for each part of a genome's training.
        halving: which genomes stop early, by what all of these are at the rung (`roco.halving`); None: none does. The
            others go on from where they were measured, and their records are those that they have without halving.
        objectives: all that any search minimises, which halving has to look at.

    Raises:
        RocoError: a worker could not do its work (a damaged file, no GPU, a full disk) or was told to stop, with the
            reason.
    """
    with Crew(settings, store, workers, log_file, time_limit_minutes) as crew:
        if halving is None:
            return crew.records(genomes)
        rungs = crew.records(genomes, until=halving.epochs)
        reasons = stopped(rungs, objectives, halving)
        going_on = [genome for genome in genomes if genome.key not in reasons]
        finished = {record["key"]: record for record in crew.records(going_on, after=halving.epochs)}
    for genome in genomes:
        if genome.key in reasons:
            log.info("%s stopped: %s", genome.key, reasons[genome.key])
            forget_checkpoints(genome, settings, store)
    ends = {rung["key"]: rung | {"status": "stopped", "reason": reasons.get(rung["key"])} for rung in rungs}
    return [finished.get(genome.key) or ends[genome.key] for genome in genomes]


def forget_checkpoints(genome: Genome, settings: EvaluationSettings, store: Store) -> None:
    """Deletes the state of a training that does not go on."""
    path = store.path("checkpoint", settings.store_key(genome), suffix=".safetensors")
    for each in path.parent.glob(f"{path.stem}-*.safetensors"):
        each.unlink(missing_ok=True)


def main() -> None:
    """The worker: settings on the first line of stdin, then a task a line; `done` on stdout for each."""
    configure_logging(None)
    # What libraries print must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    request = json.loads(sys.stdin.readline())
    settings, store = EvaluationSettings(**request["settings"]), Store(request["store"])
    try:
        pause_collection()
        evaluator = Evaluator(settings)
        for line in sys.stdin:
            task = Task.parse(line)
            records = _work(task, evaluator, store)
            for genome, record in zip(task.genomes, records, strict=True):
                store.write(*task.entry(genome, settings), record)
            print("done", file=answers)
    except RocoError as error:
        print(f"error {error}", file=answers)
    leave()


def _work(task: Task, evaluator: Evaluator, store: Store) -> list[dict[str, Any]]:
    """The records of a task's genomes; the seconds of an earlier part are added."""
    checkpoints = None if task.until is None and task.after is None else store
    records = evaluator.evaluate_together(task.genomes, until=task.until, checkpoints=checkpoints)
    if task.after is None:
        return records
    before = [store.read(RUNG_KIND, evaluator.settings.store_key(one, epochs=task.after)) for one in task.genomes]
    return [
        record | {"seconds": round(record["seconds"] + (rung["seconds"] if rung else 0.0), 3)}
        for record, rung in zip(records, before, strict=True)
    ]


if __name__ == "__main__":
    main()
