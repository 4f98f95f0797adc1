"""Worker processes and the genomes that they are given: who gets what, and what becomes of one whose worker dies.

What a worker does is in workers.py. On a CPU each worker trains one genome at a time; on a GPU one worker trains
several side by side, in one CUDA context. Nothing here imports torch.
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
from typing import Any, Self

from roco.errors import RocoError
from roco.evaluation import EvaluationSettings, dataset_shape, failed_record
from roco.runtime import resolve_device
from roco.space.genome import Genome
from roco.store import Store

log = logging.getLogger("roco")

# Finished evaluations in the store, and measurements of networks that are trained up to some epoch.
KIND, RUNG_KIND = "evaluation", "rung"
# How often a genome is given to a worker alone before its record says that it failed.
ATTEMPTS = 2
# Sent by whoever wants the whole job to end: no fault of a network.
STOPPED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True)
class Task:
    """What a worker is asked for at once, a line of JSON.

    Attributes:
        genomes: that are trained side by side.
        until: the epoch up to which they are trained and then measured; None: to the end.
        after: the epoch at which they were measured before, and from which they go on; None: from the beginning.
    """

    genomes: tuple[Genome, ...]
    until: int | None = None
    after: int | None = None

    def line(self) -> str:
        """The task as a worker reads it."""
        return json.dumps({**asdict(self), "genomes": [str(genome) for genome in self.genomes]})

    @classmethod
    def parse(cls, line: str) -> Self:
        """The task of a line."""
        content = json.loads(line)
        return cls(tuple(map(Genome.parse, content["genomes"])), content["until"], content["after"])

    def entry(self, genome: Genome, settings: EvaluationSettings) -> tuple[str, str]:
        """Where the store keeps what comes of a genome: kind and key."""
        if self.until is None:
            return KIND, settings.store_key(genome)
        return RUNG_KIND, settings.store_key(genome, epochs=self.until)


@dataclass
class Crew:
    """Worker processes; used as a context, at whose end they end.

    Attributes:
        settings: of all evaluations.
        store: where finished work is looked up and kept.
        workers: genomes at once: processes on a CPU, genomes side by side in one process on a GPU.
        log_file: where the workers log; stderr, if not given.
        time_limit_minutes: how long one genome may take; a worker's start counts for its first one. Genomes side by
            side have as many times as long, as they share the device.
        failures: records of genomes whose workers died, by key.
        errors: why all work has to stop.
        attempts: how many workers died of a genome alone, by key.
        idle: workers that wait for a task.
    """

    settings: EvaluationSettings
    store: Store
    workers: int
    log_file: str | None = None
    time_limit_minutes: float | None = None
    failures: dict[str, dict[str, Any]] = field(default_factory=dict)
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

    def records(
        self, genomes: Sequence[Genome], *, until: int | None = None, after: int | None = None
    ) -> list[dict[str, Any]]:
        """The records of genomes, in their order; what the store has is not computed again. See `Task`.

        Raises:
            RocoError: a worker could not do its work (a damaged file, no GPU, a full disk) or was told to stop, with
                the reason.
        """
        whole = Task(tuple(genomes), until, after)
        missing = [genome for genome in genomes if self._kept(whole, genome) is None]
        form = "%d genomes: %d in the store, %d to evaluate"
        if until is not None:
            # Not in the words that tell how far a job is.
            form = "up to a rung: %d genomes, %d of them in the store, %d to train"
        log.info(form, len(genomes), len(genomes) - len(missing), len(missing))
        self._work(missing, whole)
        if self.errors:
            raise RocoError(self.errors[0])
        records = [self._kept(whole, genome) for genome in genomes]
        if any(record is None for record in records):
            raise RocoError(f"{self.store.root}: evaluations that were just written cannot be read; is the disk full?")
        # The genome text is this caller's own; an equal phenotype may have been stored under another text.
        return [record | {"genome": str(genome)} for genome, record in zip(genomes, records, strict=True) if record]

    def _kept(self, task: Task, genome: Genome) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.failures.get(genome.key) or self.store.read(
            *task.entry(genome, self.settings)
        )
        return found

    def _work(self, genomes: Sequence[Genome], whole: Task) -> None:
        together = max(1, self.workers) if resolve_device(self.settings.device) == "cuda" else 1
        parts = [tuple(genomes[start : start + together]) for start in range(0, len(genomes), together)]
        pending: queue.SimpleQueue[Task] = queue.SimpleQueue()
        for part in parts:
            pending.put(Task(part, whole.until, whole.after))
        at_once = 1 if together > 1 else min(max(1, self.workers), len(parts))
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
                limit = self.time_limit_minutes and self.time_limit_minutes * len(task.genomes)
                answer, too_slow = _ask(worker, task, limit_minutes=limit)
                if answer.startswith("error "):
                    self.errors.append(answer.removeprefix("error ").strip())
                elif answer.strip() != "done":
                    worker.communicate()
                    for again in self._died(task, worker.returncode, too_slow=too_slow):
                        pending.put(again)
                    worker = None
                elif too_slow:
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
            return _start(self.settings, self.store, self.log_file)

    def _died(self, task: Task, code: int, *, too_slow: bool) -> list[Task]:
        """What is tried again of a task whose worker ended without an answer; the rest has failed."""
        how = f"the worker process ended with {f'signal {-code}' if code < 0 else f'exit code {code}'}"
        keys = ", ".join(genome.key for genome in task.genomes)
        if too_slow:
            how = f"it took longer than {self.time_limit_minutes:g} minutes (evaluation.time_limit_minutes)"
        elif -code in STOPPED:
            self.errors.append(f"{keys}: {how}; run the same command again to go on")
            return []
        elif code >= 0:
            self.errors.append(f"{keys}: {how}, which no network should do; see the log above")
            return []
        if len(task.genomes) > 1:
            # One of them is to blame; each alone will tell.
            log.warning("%s: %s; each is tried alone", keys, how)
            return [Task((genome,), task.until, task.after) for genome in task.genomes]
        self.attempts[keys] += 1
        log.warning("%s, attempt %d: %s", keys, self.attempts[keys], how)
        if not too_slow and self.attempts[keys] < ATTEMPTS:
            return [task]
        size, classes = dataset_shape(self.settings.dataset)
        self.failures[keys] = failed_record(
            task.genomes[0], self.settings, reason=how, image_size=size, classes=classes
        )
        return []


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


def _ask(worker: "subprocess.Popen[str]", task: Task, *, limit_minutes: float | None) -> tuple[str, bool]:
    """What the worker answers to a task (`done`, `error REASON`, nothing if it died), and whether time was up."""
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
        worker.stdin.write(f"{task.line()}\n")
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
