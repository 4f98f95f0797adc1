"""Worker processes and the genomes that they are given: who gets what, and what becomes of one whose worker dies.

What a worker does is in workers.py. On a CPU each worker trains one genome at a time; on a GPU one worker trains
stacks of them. Nothing here imports torch.
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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from pydantic import TypeAdapter

from roco.errors import RocoError
from roco.runtime import progress, resolve_device
from roco.search.evaluation import EvaluationSettings, failed_evaluation
from roco.search.records import Evaluation, load_evaluation
from roco.space.genome import Genome
from roco.storage.store import Store

log = logging.getLogger("roco")

# How often a genome is given to a worker alone before its record says that it failed.
ATTEMPTS = 2
# Sent by whoever wants the whole job to end: no fault of a network.
STOPPED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


# Genomes that a worker is asked for at once, a line of JSON.
Task = tuple[Genome, ...]


@dataclass
class Crew:
    """Worker processes; used as a context, at whose end they end.

    Attributes:
        settings: of all evaluations.
        store: where finished work is looked up and kept.
        processes: how many train at once on a CPU.
        largest_stack: how many networks a GPU trains as one at most.
        log_file: where the workers log; stderr, if not given.
        time_limit_minutes: how long one genome may take; a worker's start counts for its first one. A stack has as many
            times as long, as its genomes share the device.
        failures: records of genomes whose workers died, or that memory did not do for, by key.
        errors: why all work has to stop.
        attempts: how many workers died of a genome alone, by key.
        idle: workers that wait for a task.
    """

    settings: EvaluationSettings
    store: Store
    processes: int
    largest_stack: int = 1
    log_file: str | None = None
    time_limit_minutes: float | None = None
    failures: dict[str, Evaluation] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    attempts: Counter[str] = field(default_factory=Counter)
    idle: "queue.SimpleQueue[subprocess.Popen[str]]" = field(default_factory=queue.SimpleQueue)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while not self.idle.empty():
            worker = self.idle.get()
            worker.kill() if self.errors else None
            worker.communicate()

    def records(self, genomes: Sequence[Genome]) -> list[Evaluation]:
        """The records of genomes, in their order; what the store has is not computed again.

        Raises:
            RocoError: a worker could not do its work (a damaged file, no GPU, a full disk) or was told to stop, with
                the reason.
        """
        missing = [genome for genome in genomes if self._kept(genome) is None]
        stored = len(genomes) - len(missing)
        log.info(
            "%d genomes: %d in the store, %d to evaluate",
            *(len(genomes), stored, len(missing)),
            extra=progress(networks=stored),
        )
        self._work(missing)
        if self.errors:
            raise RocoError(self.errors[0])
        records = [self._kept(genome) for genome in genomes]
        if any(record is None for record in records):
            raise RocoError(f"{self.store.root}: evaluations that were just written cannot be read; is the disk full?")
        # The genome text is this caller's own; an equal phenotype may have been stored under another text.
        return [
            record.model_copy(update={"genome": str(genome)})
            for genome, record in zip(genomes, records, strict=True)
            if record
        ]

    def _kept(self, genome: Genome) -> Evaluation | None:
        failure, key = self.failures.get(genome.key), self.settings.store_key(genome)
        return failure or load_evaluation(self.store, key)

    def _work(self, genomes: Sequence[Genome]) -> None:
        on_gpu = resolve_device(self.settings.device) == "cuda"
        # Networks of equally many active phases can be one stack.
        ordered = sorted(genomes, key=lambda genome: len(genome.phenotype.phases)) if on_gpu else list(genomes)
        size = max(1, self.largest_stack) if on_gpu else 1
        pending: queue.SimpleQueue[Task] = queue.SimpleQueue()
        for start in range(0, len(ordered), size):
            pending.put(tuple(ordered[start : start + size]))
        at_once = 1 if on_gpu else min(max(1, self.processes), pending.qsize())
        threads = [threading.Thread(target=self._serve, args=(pending,), daemon=True) for _ in range(at_once)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _serve(self, pending: "queue.SimpleQueue[Task]") -> None:
        """Feeds a worker with pending tasks; one that dies is replaced."""
        worker: subprocess.Popen[str] | None = None
        try:
            while not self.errors:
                try:
                    task = pending.get_nowait()
                except queue.Empty:
                    break
                worker = worker or self._worker()
                limit = self.time_limit_minutes and self.time_limit_minutes * len(task)
                answer, too_slow = _ask(worker, task, limit_minutes=limit)
                if answer.startswith("error "):
                    self.errors.append(answer.removeprefix("error ").strip())
                elif (not_kept := _not_kept(answer)) is None:
                    worker.communicate()
                    for again in self._died(task, worker.returncode, too_slow=too_slow):
                        pending.put(again)
                    worker = None
                else:
                    log.info("%d genomes evaluated", len(task), extra=progress(networks=len(task)))
                    self.failures |= not_kept
                    if too_slow:
                        # Its time was up when it had just answered: it did its work, and is no more.
                        worker.communicate()
                        worker = None
        except Exception as error:
            self.errors.append(str(error) if isinstance(error, RocoError) else f"{type(error).__name__}: {error}")
        finally:
            if worker is not None:
                self.idle.put(worker)

    def _worker(self) -> "subprocess.Popen[str]":
        try:
            return self.idle.get_nowait()
        except queue.Empty:
            return _start(self.settings, self.store, self.largest_stack, self.log_file)

    def _died(self, task: Task, code: int, *, too_slow: bool) -> list[Task]:
        """What is tried again of a task whose worker ended without an answer; the rest has failed."""
        how = f"the worker process ended with {f'signal {-code}' if code < 0 else f'exit code {code}'}"
        keys = ", ".join(genome.key for genome in task)
        if too_slow:
            how = f"it took longer than {self.time_limit_minutes:g} minutes (evaluation.time_limit_minutes)"
        elif -code in STOPPED:
            self.errors.append(f"{keys}: {how}; run the same command again to go on")
            return []
        elif code >= 0:
            self.errors.append(f"{keys}: {how}, which no network should do; see the log above")
            return []
        # Its networks that had ended are in the store, also one whose time was up before the worker could say so.
        left = tuple(genome for genome in task if self._kept(genome) is None)
        if len(task) > 1:
            log.warning("%s: %s; tried again in two halves", keys, how)
            return [half for half in (left[: len(left) // 2], left[len(left) // 2 :]) if half]
        if not left:
            return []
        self.attempts[keys] += 1
        log.warning("%s, attempt %d: %s", keys, self.attempts[keys], how)
        if not too_slow and self.attempts[keys] < ATTEMPTS:
            return [task]
        self.failures[keys] = failed_evaluation(self.settings.spec(task[0]), self.settings, reason=how)
        return []


def _start(
    settings: EvaluationSettings, store: Store, largest_stack: int, log_file: str | None
) -> "subprocess.Popen[str]":
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    stderr = Path(log_file).open("a") if log_file else None  # noqa: SIM115 (closed below, the worker keeps its own)
    try:
        worker = subprocess.Popen(
            [sys.executable, "-m", "roco.search.workers"],
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
    request = {"settings": settings.model_dump(), "store": str(store.root), "largest_stack": largest_stack}
    worker.stdin.write(json.dumps(request) + "\n")
    return worker


def _ask(worker: "subprocess.Popen[str]", task: Task, *, limit_minutes: float | None) -> tuple[str, bool]:
    """What the worker answers to a task (`done RECORDS`, `error REASON`, nothing if it died), and if time was up."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    too_slow = threading.Event()

    def stop() -> None:
        too_slow.set()
        worker.kill()

    timer = None if limit_minutes is None else threading.Timer(60 * limit_minutes, stop)
    try:
        if timer is not None:
            timer.start()
        worker.stdin.write(json.dumps([str(genome) for genome in task]) + "\n")
        worker.stdin.flush()
        answer = worker.stdout.readline()
    except BrokenPipeError:
        answer = ""
    finally:
        if timer is not None:
            timer.cancel()
            # Else it could be about to kill the worker, at the expense of the next task.
            timer.join()
    return answer, too_slow.is_set()


def _not_kept(answer: str) -> dict[str, Evaluation] | None:
    """The records that come with `done`, by key; None if the worker died before it had said all."""
    word, _, records = answer.strip().partition(" ")
    try:
        return TypeAdapter(dict[str, Evaluation]).validate_json(records or "{}") if word == "done" else None
    except ValueError:
        return None
