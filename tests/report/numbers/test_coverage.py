"""The short form of benchmarks/coverage.py: the report's intervals on made-up studies whose truth is known."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from roco.report.numbers.shares import mean_of
from roco.report.numbers.statistics import Interval

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture
def coverage(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location("benchmarks_coverage", BENCHMARKS / "coverage.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def test_intervals_miss_the_truth_no_more_often_than_they_say() -> None:
    command = [sys.executable, str(BENCHMARKS / "coverage.py"), "--short", "--trials", "400", "--workers", "1"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    cells = [line.split(" | ") for line in ended.stdout.splitlines() if " ± " in line]
    assert [len(row) for row in cells] == [6, 6]
    assert "of 1200 studies without a difference" in ended.stdout


def test_the_benchmark_sees_an_interval_that_is_too_short(coverage: ModuleType) -> None:
    def range_of_seeds(made: object, seeds: int, generator: np.random.Generator) -> tuple[Interval, float]:
        """What a bootstrap over two or three seeds comes to."""
        one = coverage.study(made, seeds, generator)
        gains = [mean_of(a).mean() - mean_of(b).mean() for a, b in zip(*one.networks, strict=True)]
        return Interval(float(np.mean(gains)), min(gains), max(gains), "range"), 0.0

    for seeds, share in ((2, 0.5), (3, 0.25)):
        cell = coverage.tried(coverage.Row("range", range_of_seeds, coverage.ONE), seeds, 600)
        # All differences have one sign in one of two, or one of four, studies.
        assert cell.rate == pytest.approx(share, abs=0.08)


def test_what_is_said_to_be_true_is_what_many_images_and_seeds_give(coverage: ModuleType) -> None:
    made = coverage.Made(networks=2, images=4000, gain=5, level=20)
    generator = np.random.default_rng(0)
    means = []
    for _ in range(60):
        one = coverage.study(made, 3, generator)
        means.append([np.mean([mean_of(group).mean() for group in side]) for side in one.networks])
    found, spread = np.mean(means, axis=0), np.std(means, axis=0) / 60**0.5
    assert np.abs(found - one.truth).max() < 4 * spread.max()
    assert one.truth[0] - one.truth[1] == pytest.approx(0.05, abs=0.01)
    # A network's own truth is that of its share over other images and trainings.
    alone = coverage.study(coverage.Made(networks=1, images=200_000, retraining=0), 1, generator)
    assert mean_of(alone.networks[0][0]).mean() == pytest.approx(alone.of_network[0][0][0], abs=0.005)
