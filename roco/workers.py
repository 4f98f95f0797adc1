"""Evaluations spread over worker processes, each with one thread: run as `python -m roco.workers` at the other end.

A worker is an interpreter of its own: it reads a genome a line, writes its record to the store and says so. A worker
that dies takes one genome with it, which gets a failed record; the others go on. Nothing here imports torch before a
worker has something to train.
"""

import json
import logging
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from roco.errors import RocoError
from roco.evaluation import EvaluationSettings, Evaluator, dataset_shape, failed_record
from roco.runtime import configure_logging
from roco.space.genome import Genome
from roco.store import Store

log = logging.getLogger("roco")

KIND = "evaluation"


def evaluate_genomes(
    genomes: Sequence[Genome],
    settings: EvaluationSettings,
    *,
    store: Store,
    workers: int,
    log_file: str | None = None,
) -> list[dict[str, Any]]:
    """The evaluation records of genomes, in their order; what the store has is not computed again.

    Args:
        genomes: with different keys.
        settings: of all evaluations.
        store: where finished evaluations are looked up and kept.
        workers: processes at once.
        log_file: where the workers log; stderr, if not given.

    Raises:
        RocoError: a worker could not start its work (a damaged file, no GPU), with its reason.
    """
    missing = [genome for genome in genomes if store.read(KIND, settings.store_key(genome)) is None]
    log.info("%d genomes: %d in the store, %d to evaluate", len(genomes), len(genomes) - len(missing), len(missing))
    failures: dict[str, dict[str, Any]] = {}
    errors: list[str] = []
    if missing:
        pending: queue.SimpleQueue[Genome] = queue.SimpleQueue()
        for genome in missing:
            pending.put(genome)
        threads = [
            threading.Thread(target=_serve, args=(pending, settings, store, log_file, failures, errors), daemon=True)
            for _ in range(max(1, min(workers, len(missing))))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if errors:
        raise RocoError(errors[0])
    records = [failures.get(genome.key) or store.read(KIND, settings.store_key(genome)) for genome in genomes]
    if any(record is None for record in records):
        raise RocoError(f"{store.root}: evaluations that were just written cannot be read; is the disk full?")
    # The genome text is this caller's own; an equal phenotype may have been stored under another text.
    return [record | {"genome": str(genome)} for genome, record in zip(genomes, records, strict=True) if record]


def _serve(
    pending: "queue.SimpleQueue[Genome]",
    settings: EvaluationSettings,
    store: Store,
    log_file: str | None,
    failures: dict[str, dict[str, Any]],
    errors: list[str],
) -> None:
    """Feeds a worker with pending genomes; one that dies is replaced."""
    worker: subprocess.Popen[str] | None = None
    try:
        while not errors:
            try:
                genome = pending.get_nowait()
            except queue.Empty:
                break
            if worker is None:
                worker = _start(settings, store, log_file)
            answer = _ask(worker, genome)
            if answer.startswith("error "):
                errors.append(answer.removeprefix("error ").strip())
            elif answer.strip() != "done":
                worker.communicate()
                reason = f"the worker process ended with {_ending(worker.returncode)}"
                log.warning("%s failed: %s", genome.key, reason)
                size, classes = dataset_shape(settings.dataset)
                failures[genome.key] = failed_record(genome, settings, reason=reason, image_size=size, classes=classes)
                worker = None
    except Exception as error:
        errors.append(f"{type(error).__name__}: {error}")
    finally:
        if worker is not None:
            worker.kill() if errors else None
            worker.communicate()


def _start(settings: EvaluationSettings, store: Store, log_file: str | None) -> "subprocess.Popen[str]":
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    stderr = Path(log_file).open("a") if log_file else None  # noqa: SIM115 (closed below, the worker keeps its own)
    try:
        worker = subprocess.Popen(
            [sys.executable, "-m", "roco.workers"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env=environment,
        )
    finally:
        if stderr is not None:
            stderr.close()
    assert worker.stdin is not None
    worker.stdin.write(json.dumps({"settings": asdict(settings), "store": str(store.root)}) + "\n")
    return worker


def _ask(worker: "subprocess.Popen[str]", genome: Genome) -> str:
    """What the worker answers to a genome: `done`, `error REASON`, or nothing if it died."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    try:
        worker.stdin.write(f"{genome}\n")
        worker.stdin.flush()
        return worker.stdout.readline()
    except BrokenPipeError:
        return ""


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def main() -> None:
    """The worker: settings on the first line of stdin, then a genome a line; `done` on stdout for each."""
    configure_logging(None)
    # What libraries print must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    request = json.loads(sys.stdin.readline())
    settings, store = EvaluationSettings(**request["settings"]), Store(request["store"])
    try:
        evaluator = Evaluator(settings)
        for line in sys.stdin:
            genome = Genome.parse(line)
            store.write(KIND, settings.store_key(genome), evaluator.evaluate(genome))
            print("done", file=answers)
    except RocoError as error:
        print(f"error {error}", file=answers)


if __name__ == "__main__":
    main()
