"""A worker of pool.py: `python -m roco.search.worker` evaluates the genomes that it reads, one list per line.

Torch is imported when there is something to train.
"""

import json
import os
import sys

from roco.errors import RocoError
from roco.runtime import configure_logging, leave, pause_collection
from roco.search.evaluation import EvaluationSettings, Evaluator, ran_out_of_memory
from roco.search.records import store_evaluation
from roco.space.genome import Genome
from roco.storage.store import Store


def main() -> None:
    """Reads settings from the first line of stdin, then genomes, one list per line.

    For each list it prints `done` and, as JSON by key, the evaluations that the store does not keep; or it prints
    `error` with a reason and ends.
    """
    configure_logging(None)
    # Keeps output of libraries out of the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    request = json.loads(sys.stdin.readline())
    settings, store = EvaluationSettings.model_validate(request["settings"]), Store(request["store"])
    try:
        pause_collection()
        evaluator = Evaluator(settings)
        for line in sys.stdin:
            genomes, not_stored = [Genome.parse(text) for text in json.loads(line)], {}
            for ended in evaluator.evaluate_all(
                genomes, largest_stack=request["largest_stack"], checkpoints=store.root / "checkpoint"
            ):
                for genome, evaluation in ended:
                    if ran_out_of_memory(evaluation):
                        not_stored[genome.key] = evaluation.model_dump()
                    else:
                        store_evaluation(store, settings.store_key(genome), evaluation)
            print("done", json.dumps(not_stored), file=answers)
    except RocoError as error:
        print(f"error {error}", file=answers)
    leave()


if __name__ == "__main__":
    main()
