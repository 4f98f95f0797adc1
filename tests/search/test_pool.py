import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest
from made_records import DECODER, evaluation
from tiny_study import GENOMES, TinyStudy, make_tiny_study

from roco.errors import RocoError
from roco.search import pool
from roco.search.evaluation import EvaluationSettings, Evaluator
from roco.search.pool import Task, evaluate_genomes
from roco.search.records import Evaluation, store_evaluation
from roco.space.genome import Genome
from roco.storage.store import Store

STAND_IN, STARVED = (Path(__file__).with_name(f"{name}_worker.py") for name in ("stand_in", "starved"))


def settings_of(tiny: TinyStudy, recipe: dict[str, Any]) -> EvaluationSettings:
    return EvaluationSettings(
        dataset=str(tiny.dataset_path),
        adversarial_set=str(tiny.adversarial_path),
        recipe=recipe,
        decoder=DECODER,
        seed=0,
        device="cpu",
    )


@pytest.fixture
def settings(tiny: TinyStudy) -> EvaluationSettings:
    return settings_of(tiny, {"epochs": 1, "batch_size": 8})


def no_worker(*_: object) -> None:
    raise AssertionError("a worker was started")


def without_seconds(records: list[Evaluation]) -> list[Evaluation]:
    return [record.model_copy(update={"seconds": 0.0}) for record in records]


def process_of(record: Evaluation) -> int:
    return int(record.versions["process"])


def test_workers_give_the_records_of_this_process(
    settings: EvaluationSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, log_file = Store(tmp_path), tmp_path / "workers.log"
    evaluator = Evaluator(settings)
    expected = [evaluator.evaluate(genome) for genome in GENOMES]
    records = evaluate_genomes(GENOMES, settings, store=store, processes=2, log_file=str(log_file))
    assert without_seconds(records) == without_seconds(expected)
    assert all(record.seconds > 0 for record in records)
    assert f"{GENOMES[0].key} epoch 1/1 loss" in log_file.read_text()
    # What the store has is not computed again, in whatever order and under whatever text it is asked for.
    monkeypatch.setattr(pool, "_Worker", no_worker)
    texts = ("0000-1011", "1000-0000", "0000-0110")
    again = evaluate_genomes([Genome.parse(text) for text in texts], settings, store=store, processes=2)
    assert [record.genome for record in again] == list(texts)
    assert [record.key for record in again] == [GENOMES[index].key for index in (2, 0, 1)]
    assert [record.train_loss for record in again] == [records[index].train_loss for index in (2, 0, 1)]
    assert evaluate_genomes([], settings, store=store, processes=2) == []


def test_damaged_data_end_with_one_line(tmp_path: Path) -> None:
    tiny = make_tiny_study(tmp_path)
    with h5py.File(tiny.dataset_path, "r+") as file:
        file["train_images"][0, 0, 0, 0] ^= 1
    settings = settings_of(tiny, {"epochs": 1})
    with pytest.raises(RocoError, match="does not match its checksum") as caught:
        evaluate_genomes(GENOMES, settings, store=Store(tmp_path), processes=1, log_file=str(tmp_path / "log"))
    assert "\n" not in str(caught.value)


@pytest.fixture
def end_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], list[int]]:
    """Puts stand-ins in the workers' place that end in one way at the second genome; gives their process numbers."""
    popen, started, deaths = subprocess.Popen, list[int](), tmp_path / "deaths"
    deaths.mkdir()

    def arrange(end: str, times: int) -> list[int]:
        def stand_in(command: list[str], **named: Any) -> subprocess.Popen[str]:
            assert command == [sys.executable, "-m", "roco.search.worker"]
            process = popen([sys.executable, str(STAND_IN), str(GENOMES[1]), end, str(times), str(deaths)], **named)
            started.append(process.pid)
            return process

        monkeypatch.setattr(subprocess, "Popen", stand_in)
        return started

    return arrange


@pytest.mark.parametrize(
    ("end", "limit", "reason"),
    [
        ("SIGKILL", None, "the worker process ended with signal 9"),
        ("asleep", 0.1, "it took longer than 0.1 minutes (evaluation.time_limit_minutes)"),
    ],
)
def test_a_worker_that_dies_takes_one_genome_with_it(
    settings: EvaluationSettings,
    tmp_path: Path,
    end: str,
    limit: float | None,
    reason: str,
    end_with: Callable[[str, int], list[int]],
) -> None:
    store, started = Store(tmp_path), end_with(end, 2)
    records = evaluate_genomes(GENOMES, settings, store=store, processes=1, time_limit_minutes=limit)
    assert [record.status for record in records] == ["ok", "failed", "ok"]
    assert [record.genome for record in records] == [str(genome) for genome in GENOMES]
    assert records[1].reason == reason
    assert (records[1].error, records[1].adversarial_error) == (1.0, 1.0)
    # Another worker took over.
    assert [process_of(records[0]), process_of(records[2])] == started
    # The failure is not kept: the next run tries again.
    assert store.read("evaluation", settings.store_key(GENOMES[1])) is None


def test_a_genome_is_tried_once_more(
    settings: EvaluationSettings, tmp_path: Path, end_with: Callable[[str, int], list[int]]
) -> None:
    started = end_with("SIGKILL", 1)
    records = evaluate_genomes(GENOMES, settings, store=Store(tmp_path), processes=1)
    assert [record.status for record in records] == ["ok"] * 3
    assert len(started) == 2


def test_a_training_that_memory_did_not_do_for_is_tried_anew_by_the_next_run(
    settings: EvaluationSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, start = Store(tmp_path / "store"), subprocess.Popen

    def starved(command: list[str], **named: Any) -> "subprocess.Popen[str]":
        return start([sys.executable, str(STARVED), GENOMES[1].key], **named)

    monkeypatch.setattr(pool.subprocess, "Popen", starved)
    records = evaluate_genomes(GENOMES, settings, store=store, processes=1)
    assert [record.status for record in records] == ["ok", "failed", "ok"]
    assert records[1].reason.startswith("out of memory, also with batches of ")
    kept = [store.read("evaluation", settings.store_key(genome)) is not None for genome in GENOMES]
    assert kept == [True, False, True]
    monkeypatch.undo()
    again = evaluate_genomes(GENOMES, settings, store=store, processes=1)
    assert [record.status for record in again] == ["ok"] * 3


def on_a_gpu(settings: EvaluationSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the pool believe that its device is a GPU; the workers here never look."""
    monkeypatch.setattr(pool, "resolve_device", lambda device: "cuda")


@pytest.mark.parametrize(("at_once", "groups"), [(1, [1, 1, 1]), (2, [2, 2, 1]), (8, [3, 3, 3])])
def test_on_a_gpu_one_process_trains_stacks(
    settings: EvaluationSettings,
    tmp_path: Path,
    at_once: int,
    groups: list[int],
    end_with: Callable[[str, int], list[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on_a_gpu(settings, monkeypatch)
    started = end_with("SIGKILL", 0)
    records = evaluate_genomes(GENOMES, settings, store=Store(tmp_path), processes=1, largest_stack=at_once)
    assert [record.stack for record in records] == groups
    assert [process_of(record) for record in records] == started * 3


@pytest.mark.parametrize(
    ("end", "times", "limit", "reason"),
    [
        ("SIGKILL", 1, None, None),
        ("SIGKILL", 4, None, "the worker process ended with signal 9"),
        ("asleep", 3, 0.1, "it took longer than 0.1 minutes (evaluation.time_limit_minutes)"),
    ],
)
def test_a_worker_that_dies_of_several_genomes_gets_them_in_halves(
    settings: EvaluationSettings,
    tmp_path: Path,
    end: str,
    times: int,
    limit: float | None,
    reason: str | None,
    end_with: Callable[[str, int], list[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on_a_gpu(settings, monkeypatch)
    end_with(end, times)
    arguments = {"store": Store(tmp_path), "processes": 1, "largest_stack": 3, "time_limit_minutes": limit}
    records = evaluate_genomes(GENOMES, settings, **arguments)  # type: ignore[arg-type]
    assert [record.status for record in records] == ["ok", "failed" if reason else "ok", "ok"]
    # Halves of three are one and two; of two, one and one.
    together = [record.stack for record in records if record.status == "ok"]
    assert together == ([1, 1] if reason else [1, 2, 2])
    assert not reason or records[1].reason == reason


def test_a_stack_has_as_many_times_as_long(
    settings: EvaluationSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[float | None] = []

    def ask(worker: object, task: Task, *, limit_minutes: float | None) -> pool._Answer:
        limits.append(limit_minutes)
        for genome in task:
            store_evaluation(store, settings.store_key(genome), evaluation(key=genome.key))
        return pool._Answer({}, "", time_is_up=False)

    on_a_gpu(settings, monkeypatch)
    store = Store(tmp_path)
    monkeypatch.setattr(pool._Worker, "ask", ask)
    evaluate_genomes(GENOMES, settings, store=store, processes=1, largest_stack=2, time_limit_minutes=3.0)
    assert limits == [6.0, 3.0]


@pytest.mark.parametrize(
    ("end", "message"),
    [
        ("exit", "the worker process ended with exit code 3, which no network should do"),
        ("SIGTERM", "the worker process ended with signal 15; run the same command again to go on"),
    ],
)
def test_a_crash_or_a_stop_ends_the_work(
    settings: EvaluationSettings,
    tmp_path: Path,
    end: str,
    message: str,
    end_with: Callable[[str, int], list[int]],
) -> None:
    started = end_with(end, 1)
    with pytest.raises(RocoError, match=f"{GENOMES[1].key}: {message}"):
        evaluate_genomes(GENOMES, settings, store=Store(tmp_path), processes=1)
    assert len(started) == 1


def test_a_worker_that_cannot_start_ends_the_work(
    settings: EvaluationSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no more processes")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    with pytest.raises(RocoError, match="OSError: no more processes"):
        evaluate_genomes(GENOMES, settings, store=Store(tmp_path), processes=2)
