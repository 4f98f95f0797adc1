"""Evaluates genomes in worker processes: which worker gets which genomes, and what happens when a worker dies.

A worker (worker.py) is a Python process with one thread. On a CPU each worker trains one genome at a time; on a GPU a
single worker trains stacks of genomes. It writes each evaluation to the store. If a worker dies with several genomes,
they are tried again in two halves. If it dies with one genome, the genome is tried once more; if that fails too, or if
its time is up, its evaluation has failed, and the others go on. Such a failure is not stored, nor is a lack of memory:
both may be due to this machine on this day. Nothing here imports torch.

No library does this: concurrent.futures loses its pool with the first worker that dies and has no time limits; workers
of multiprocessing or pebble import the main script again, which here is a script of Snakemake.
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

from pydantic import TypeAdapter

from roco.errors import RocoError
from roco.runtime import progress, resolve_device
from roco.search.evaluation import EvaluationSettings, failed_evaluation
from roco.search.records import Evaluation, load_evaluation
from roco.space.genome import Genome
from roco.storage.store import Store

log = logging.getLogger("roco")

# How often a genome is tried alone before its evaluation counts as failed.
ATTEMPTS = 2
# Signals of someone who wants the whole job to end; they are no fault of a network.
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

# The genomes that a worker gets at once.
Task = tuple[Genome, ...]


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
    """The evaluations of genomes, in their order; stored evaluations are not computed again.

    Args:
        genomes: with different keys.
        settings: of all evaluations.
        store: where finished evaluations are looked up and kept.
        processes: the number of workers on a CPU.
        largest_stack: the largest number of genomes in a stack.
        log_file: where the workers log; stderr if not given.
        time_limit_minutes: for each genome, a worker's start included; a stack of K genomes has K times as long.

    Raises:
        RocoError: a worker could not do its work (a damaged file, no GPU, a full disk) or was told to stop, with the
            reason.
    """
    pool = _Pool(settings, store, largest_stack, log_file, time_limit_minutes)
    missing = [genome for genome in genomes if pool.result(genome) is None]
    stored = len(genomes) - len(missing)
    counts = (len(genomes), stored, len(missing))
    log.info("%d genomes: %d in the store, %d to evaluate", *counts, extra=progress(networks=stored))
    pool.run(missing, processes=processes)
    results = [pool.result(genome) for genome in genomes]
    if any(result is None for result in results):
        raise RocoError(f"{store.root}: evaluations that were just written cannot be read; is the disk full?")
    # With the caller's text of the genome: an equal phenotype may have been stored with another text.
    return [
        result.model_copy(update={"genome": str(genome)})
        for genome, result in zip(genomes, results, strict=True)
        if result
    ]


@dataclass
class _Pool:
    """Workers, each served by a thread, and the state that the threads share.

    Attributes:
        failures: evaluations that are not stored, by key.
        errors: why all work has to stop.
        deaths: how many workers died with a single genome, by its key.
    """

    settings: EvaluationSettings
    store: Store
    largest_stack: int
    log_file: str | None
    time_limit_minutes: float | None
    failures: dict[str, Evaluation] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    deaths: Counter[str] = field(default_factory=Counter)

    def result(self, genome: Genome) -> Evaluation | None:
        """The evaluation of a genome; None if it is not finished."""
        return self.failures.get(genome.key) or load_evaluation(self.store, self.settings.store_key(genome))

    def run(self, genomes: Sequence[Genome], *, processes: int) -> None:
        """Evaluates genomes; raises RocoError with the first reason for which work had to stop."""
        on_gpu = resolve_device(self.settings.device) == "cuda"
        # Networks with the same number of active phases can form a stack.
        ordered = sorted(genomes, key=lambda genome: len(genome.phenotype.phases)) if on_gpu else list(genomes)
        size = max(1, self.largest_stack) if on_gpu else 1
        tasks: queue.SimpleQueue[Task] = queue.SimpleQueue()
        for start in range(0, len(ordered), size):
            tasks.put(tuple(ordered[start : start + size]))
        workers = 1 if on_gpu else min(max(1, processes), tasks.qsize())
        # Daemons, so that Ctrl-C ends the job without waiting for the workers.
        threads = [threading.Thread(target=self._serve, args=(tasks,), daemon=True) for _ in range(workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.errors:
            raise RocoError(self.errors[0])

    def _serve(self, tasks: "queue.SimpleQueue[Task]") -> None:
        """Gives tasks to a worker while there are any; a worker that has ended is replaced."""
        worker: _Worker | None = None
        try:
            while not self.errors and not tasks.empty():
                try:
                    task = tasks.get_nowait()
                except queue.Empty:
                    break
                worker = worker or _Worker(self.settings, self.store, self.largest_stack, self.log_file)
                limit = self.time_limit_minutes and self.time_limit_minutes * len(task)
                answer = worker.ask(task, limit_minutes=limit)
                code = worker.end() if answer.died or answer.time_is_up else None
                if answer.error:
                    self.errors.append(answer.error)
                elif answer.not_stored is not None:
                    log.info("%d genomes evaluated", len(task), extra=progress(networks=len(task)))
                    self.failures |= answer.not_stored
                elif code is not None:
                    for again in self._after_death(task, code, time_is_up=answer.time_is_up):
                        tasks.put(again)
                if code is not None:
                    worker = None
        except Exception as error:
            self.errors.append(str(error) if isinstance(error, RocoError) else f"{type(error).__name__}: {error}")
        finally:
            if worker is not None:
                worker.end(kill=bool(self.errors))

    def _after_death(self, task: Task, code: int, *, time_is_up: bool) -> list[Task]:
        """The tasks to try again after a worker ended without an answer; other unfinished genomes have failed."""
        how = f"the worker process ended with {f'signal {-code}' if code < 0 else f'exit code {code}'}"
        keys = ", ".join(genome.key for genome in task)
        if time_is_up:
            how = f"it took longer than {self.time_limit_minutes:g} minutes (evaluation.time_limit_minutes)"
        elif -code in STOP_SIGNALS:
            self.errors.append(f"{keys}: {how}; run the same command again to go on")
            return []
        elif code >= 0:
            self.errors.append(f"{keys}: {how}, which no network should do; see the log above")
            return []
        # The store may have a network that ended before the worker could say so.
        left = tuple(genome for genome in task if self.result(genome) is None)
        ended = progress(networks=len(task) - len(left))
        if len(task) > 1:
            log.warning("%s: %s; tried again in two halves", keys, how, extra=ended)
            return [half for half in (left[: len(left) // 2], left[len(left) // 2 :]) if half]
        if not left:
            log.info("1 genomes evaluated", extra=ended)
            return []
        self.deaths[keys] += 1
        log.warning("%s, attempt %d: %s", keys, self.deaths[keys], how)
        if not time_is_up and self.deaths[keys] < ATTEMPTS:
            return [task]
        self.failures[keys] = failed_evaluation(self.settings.spec(task[0]), self.settings, reason=how)
        log.warning("%s failed", keys, extra=progress(networks=1))
        return []


@dataclass(frozen=True)
class _Answer:
    """The answer of a worker to a task.

    Attributes:
        not_stored: when the task is done, the evaluations that the store does not keep, by key; None before.
        error: why the worker cannot work at all; empty if it can.
        time_is_up: whether it was killed because its time was up, possibly after its answer.
    """

    not_stored: dict[str, Evaluation] | None
    error: str
    time_is_up: bool

    @property
    def died(self) -> bool:
        """Whether the worker ended before its answer was complete."""
        return self.not_stored is None and not self.error


class _Worker:
    """A worker process; its stderr goes to the log."""

    def __init__(self, settings: EvaluationSettings, store: Store, largest_stack: int, log_file: str | None) -> None:
        environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        stderr = Path(log_file).open("a") if log_file else None  # noqa: SIM115 (closed below, the worker keeps its own)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "roco.search.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                env=environment,
            )
        finally:
            if stderr is not None:
                stderr.close()
        request = {"settings": settings.model_dump(), "store": str(store.root), "largest_stack": largest_stack}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")

    def ask(self, task: Task, *, limit_minutes: float | None) -> _Answer:
        """Gives a task to the worker and waits for the answer; kills the worker when its time is up."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        time_is_up = threading.Event()

        def stop() -> None:
            time_is_up.set()
            self._process.kill()

        timer = None if limit_minutes is None else threading.Timer(60 * limit_minutes, stop)
        try:
            if timer is not None:
                timer.start()
            self._process.stdin.write(json.dumps([str(genome) for genome in task]) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            if timer is not None:
                timer.cancel()
                # Otherwise it might still kill the worker, during the next task.
                timer.join()
        return _answer(line.strip(), time_is_up=time_is_up.is_set())

    def end(self, *, kill: bool = False) -> int:
        """Lets the process end, or kills it; its exit code."""
        if kill:
            self._process.kill()
        self._process.communicate()
        return self._process.returncode


def _answer(line: str, *, time_is_up: bool) -> _Answer:
    """Reads `done EVALUATIONS` or `error REASON`; an incomplete line means that the worker died."""
    word, _, rest = line.partition(" ")
    not_stored = None
    if word == "done":
        try:
            not_stored = TypeAdapter(dict[str, Evaluation]).validate_json(rest or "{}")
        except ValueError:
            not_stored = None
    return _Answer(not_stored, rest if word == "error" else "", time_is_up)
