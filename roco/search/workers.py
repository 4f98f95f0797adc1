"""Evaluations spread over worker processes, each with one thread; `python -m roco.search.workers` runs one.

A worker is an interpreter of its own: it reads genomes, writes their records to the store as they end and says so. When
a worker dies of several genomes, they are tried again in two halves; when it dies of one, that is tried once more; the
second time, or when its time is up, it gets a failed record, and the others go on. Such a record, or one of a training
that memory did not do for, is not kept in the store: it tells of this machine on this day. Nothing here imports torch
before a worker has something to train.
"""

import json
import logging
import os
import sys
from collections.abc import Sequence

from roco.errors import RocoError
from roco.runtime import configure_logging, leave, pause_collection
from roco.search.crew import Crew
from roco.search.evaluation import EvaluationSettings, Evaluator, ran_out_of_memory
from roco.search.records import Evaluation, store_evaluation
from roco.space.genome import Genome
from roco.storage.store import Store

log = logging.getLogger("roco")


def evaluate_genomes(
    genomes: Sequence[Genome],
    settings: EvaluationSettings,
    *,
    store: Store,
    processes: int,
    largest_stack: int = 1,
    log_file: str | None = None,
    time_limit_minutes: float | None = None,
) -> list[Evaluation]:
    """The evaluation records of genomes, in their order; what the store has is not computed again.

    Args:
        genomes: with different keys.
        settings: of all evaluations.
        store: where finished evaluations are looked up and kept.
        processes: how many train at once on a CPU, one genome each.
        largest_stack: how many genomes a GPU trains as one at most.
        log_file: where the workers log; stderr, if not given.
        time_limit_minutes: see `Crew`.

    Raises:
        RocoError: a worker could not do its work (a damaged file, no GPU, a full disk) or was told to stop, with the
            reason.
    """
    with Crew(settings, store, processes, largest_stack, log_file, time_limit_minutes) as crew:
        return crew.records(genomes)


def main() -> None:
    """The worker: settings on the first line of stdin, then genomes, a list a line.

    On stdout `done` for each list, and behind it, as JSON by key, the records that the store does not keep.
    """
    configure_logging(None)
    # What libraries print must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    request = json.loads(sys.stdin.readline())
    settings, store = EvaluationSettings.model_validate(request["settings"]), Store(request["store"])
    try:
        pause_collection()
        evaluator = Evaluator(settings)
        for line in sys.stdin:
            genomes, not_kept = [Genome.parse(text) for text in json.loads(line)], {}
            for ended in evaluator.evaluate_all(
                genomes, largest_stack=request["largest_stack"], checkpoints=store.root / "checkpoint"
            ):
                for genome, evaluation in ended:
                    if ran_out_of_memory(evaluation):
                        not_kept[genome.key] = evaluation.model_dump()
                    else:
                        store_evaluation(store, settings.store_key(genome), evaluation)
            print("done", json.dumps(not_kept), file=answers)
    except RocoError as error:
        print(f"error {error}", file=answers)
    leave()


if __name__ == "__main__":
    main()
