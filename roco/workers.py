"""Evaluations spread over worker processes, each with one thread: run as `python -m roco.workers` at the other end.

A worker is an interpreter of its own: it reads a genome a line, writes its record to the store and says so. When a
worker dies, its genome is tried once more; the second time, or when its time is up, it gets a failed record, and the
others go on. Such a record is not kept in the store: it tells of this machine on this day. Nothing here imports torch
before a worker has something to train.
"""

import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from roco.errors import RocoError
from roco.evaluation import EvaluationSettings, Evaluator, dataset_shape, failed_record
from roco.runtime import configure_logging
from roco.space.genome import Genome
from roco.store import Store

log = logging.getLogger("roco")

KIND = "evaluation"
# How often a genome is given to a worker before its record says that it failed.
ATTEMPTS = 2
# Sent by whoever wants the whole job to end: no fault of a network.
STOPPED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def evaluate_genomes(
    genomes: Sequence[Genome],
    settings: EvaluationSettings,
    *,
    store: Store,
    workers: int,
    log_file: str | None = None,
    time_limit_minutes: float | None = None,
) -> list[dict[str, Any]]:
    """The evaluation records of genomes, in their order; what the store has is not computed again.

    Args:
        genomes: with different keys.
        settings: of all evaluations.
        store: where finished evaluations are looked up and kept.
        workers: processes at once.
        log_file: where the workers log; stderr, if not given.
        time_limit_minutes: how long one genome may take; a worker's start counts for its first one.

    Raises:
        RocoError: a worker could not do its work (a damaged file, no GPU, a full disk) or was told to stop, with the
            reason.
    """
    missing = [genome for genome in genomes if store.read(KIND, settings.store_key(genome)) is None]
    log.info("%d genomes: %d in the store, %d to evaluate", len(genomes), len(genomes) - len(missing), len(missing))
    crew = _Crew(settings, store, log_file, time_limit_minutes)
    for genome in missing:
        crew.pending.put(genome)
    threads = [threading.Thread(target=crew.serve, daemon=True) for _ in range(min(max(1, workers), len(missing)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if crew.errors:
        raise RocoError(crew.errors[0])
    records = [crew.failures.get(genome.key) or store.read(KIND, settings.store_key(genome)) for genome in genomes]
    if any(record is None for record in records):
        raise RocoError(f"{store.root}: evaluations that were just written cannot be read; is the disk full?")
    # The genome text is this caller's own; an equal phenotype may have been stored under another text.
    return [record | {"genome": str(genome)} for genome, record in zip(genomes, records, strict=True) if record]


@dataclass
class _Crew:
    """What the threads share that feed the workers.

    Attributes:
        pending: genomes that wait.
        failures: records of genomes that failed, by key.
        errors: why all work has to stop.
        attempts: how many workers died of a genome, by key.
    """

    settings: EvaluationSettings
    store: Store
    log_file: str | None
    time_limit_minutes: float | None
    pending: "queue.SimpleQueue[Genome]" = field(default_factory=queue.SimpleQueue)
    failures: dict[str, dict[str, Any]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    attempts: Counter[str] = field(default_factory=Counter)

    def serve(self) -> None:
        """Feeds a worker with pending genomes; one that dies is replaced."""
        worker: subprocess.Popen[str] | None = None
        try:
            while not self.errors:
                try:
                    genome = self.pending.get_nowait()
                except queue.Empty:
                    break
                worker = worker or _start(self.settings, self.store, self.log_file)
                answer, too_slow = _ask(worker, genome, time_limit_minutes=self.time_limit_minutes)
                if answer.startswith("error "):
                    self.errors.append(answer.removeprefix("error ").strip())
                elif answer.strip() != "done":
                    worker.communicate()
                    self._died(genome, worker.returncode, too_slow=too_slow)
                    worker = None
        except Exception as error:
            self.errors.append(str(error) if isinstance(error, RocoError) else f"{type(error).__name__}: {error}")
        finally:
            if worker is not None:
                worker.kill() if self.errors else None
                worker.communicate()

    def _died(self, genome: Genome, code: int, *, too_slow: bool) -> None:
        """Decides what becomes of a genome whose worker ended without an answer."""
        how = f"the worker process ended with {f'signal {-code}' if code < 0 else f'exit code {code}'}"
        if too_slow:
            how = f"it took longer than {self.time_limit_minutes:g} minutes (evaluation.time_limit_minutes)"
        elif -code in STOPPED:
            self.errors.append(f"{genome.key}: {how}; run the same command again to go on")
            return
        elif code >= 0:
            self.errors.append(f"{genome.key}: {how}, which no network should do; see the log above")
            return
        self.attempts[genome.key] += 1
        log.warning("%s, attempt %d: %s", genome.key, self.attempts[genome.key], how)
        if not too_slow and self.attempts[genome.key] < ATTEMPTS:
            self.pending.put(genome)
            return
        size, classes = dataset_shape(self.settings.dataset)
        self.failures[genome.key] = failed_record(genome, self.settings, reason=how, image_size=size, classes=classes)


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


def _ask(worker: "subprocess.Popen[str]", genome: Genome, *, time_limit_minutes: float | None) -> tuple[str, bool]:
    """What the worker answers to a genome (`done`, `error REASON`, nothing if it died), and whether time was up."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    too_slow = threading.Event()

    def stop() -> None:
        too_slow.set()
        worker.kill()

    timer = None if time_limit_minutes is None else threading.Timer(60 * time_limit_minutes, stop)
    try:
        if timer is not None:
            timer.start()
        worker.stdin.write(f"{genome}\n")
        worker.stdin.flush()
        answer = worker.stdout.readline()
    except BrokenPipeError:
        answer = ""
    finally:
        if timer is not None:
            timer.cancel()
    return answer, too_slow.is_set()


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
