"""A time limit that is up at the moment of an answer: the next genome was called failed for it.

Met with watchdogs of all kinds (job runners, CUDA kernels, RPC): the check that nothing was answered and the kill are
two steps, and the answer comes between them.
"""

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_records import DECODER
from tiny_study import GENOMES, TinyStudy

from roco.search.evaluation import EvaluationSettings
from roco.search.pool import evaluate_genomes
from roco.storage.store import Store

# Speaks as a worker does, without torch.
STAND_IN = """
import json, os, sys
from roco.search.evaluation import EvaluationSettings, failed_evaluation
from roco.search.records import store_evaluation
from roco.space.genome import Genome
from roco.storage.store import Store

request = json.loads(sys.stdin.readline())
settings, store = EvaluationSettings.model_validate(request["settings"]), Store(request["store"])
for line in sys.stdin:
    for genome in map(Genome.parse, json.loads(line)):
        record = failed_evaluation(settings.spec(genome), settings, reason=None)
        changes = {"status": "ok", "versions": {"process": str(os.getpid())}}
        store_evaluation(store, settings.store_key(genome), record.model_copy(update=changes))
    print("done", flush=True)
"""


class LateTimer(threading.Thread):
    """A time limit that is up when its worker has just answered: too late to be cancelled."""

    def __init__(self, seconds: float, function: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self.function, self.cancelled = function, threading.Event()

    def cancel(self) -> None:
        self.cancelled.set()

    def run(self) -> None:
        self.cancelled.wait()
        time.sleep(0.2)
        self.function()


def test_a_time_limit_just_after_an_answer_is_not_charged_to_the_next_genome(
    tiny: TinyStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    popen, started = subprocess.Popen, list[int]()

    def stand_in(command: list[str], **named: Any) -> subprocess.Popen[str]:
        process = popen([sys.executable, "-c", STAND_IN], **named)
        started.append(process.pid)
        return process

    settings = EvaluationSettings(
        dataset=str(tiny.dataset_path),
        adversarial_set=str(tiny.adversarial_path),
        recipe={"epochs": 1, "batch_size": 8},
        decoder=DECODER,
        seed=0,
        device="cpu",
    )
    monkeypatch.setattr(subprocess, "Popen", stand_in)
    monkeypatch.setattr(threading, "Timer", LateTimer)
    with caplog.at_level(logging.WARNING, logger="roco"):
        records = evaluate_genomes(GENOMES, settings, store=Store(tmp_path), processes=1, time_limit_minutes=60.0)
    assert [record.status for record in records] == ["ok"] * len(GENOMES)
    assert caplog.messages == []
    # Each had a worker of its own, as the one before was killed.
    assert [int(record.versions["process"]) for record in records] == started
