from pathlib import Path

import pytest
from half_done_study import config_of, individual, write_population
from made_records import evaluation

from roco.search.records import write_evaluations
from roco.study.layout import Layout
from roco.study.search_progress import search_progress


def test_a_search_without_a_population(tmp_path: Path) -> None:
    baseline, roco = search_progress(config_of(tmp_path))
    assert (baseline.search, roco.search) == ("baseline", "roco")
    assert (roco.generation, roco.generations, roco.evaluated, roco.best, roco.hypervolume) == (None, 2, 0, {}, None)


def test_the_last_population_counts_without_failed_networks(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    first = [individual(0.5, 0.5, 2000, rank=0)]
    second = [
        individual(0.5, 0.4, 2000, rank=0),
        individual(0.4, 0.5, 3000, rank=0),
        individual(0.6, 0.6, 2500, rank=1),
        individual(0.0, 0.0, 10, rank=4, status="failed"),
    ]
    write_population(config, "roco", 0, first, seen=2)
    write_population(config, "roco", 1, second, seen=4)
    records = [evaluation(status=status) for status in ("ok", "failed")]
    for shard in Layout(config).shards("initial", 0, 0) + Layout(config).shards("roco", 0, 1):
        write_evaluations(shard, records)
    baseline, roco = search_progress(config)
    assert (roco.generation, roco.evaluated, roco.front) == (1, 4, 2)
    assert roco.best == {"error": 0.4, "adversarial_error": 0.4, "flops": 2000, "parameters": 200}
    # Two shards of the shared first generation and one of its own, one failure in each.
    assert (roco.failed, baseline.failed) == (3, 2)
    # The first network spans the box from its own values; the second population adds to both sides of it.
    assert roco.hypervolume is not None
    assert 0 < roco.hypervolume <= 1
    assert baseline.hypervolume is None


def test_the_hypervolume_is_that_of_the_report(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    # Scaled to the range found, the best point of the first is (1, 1, 0), of the second (0, 0, 1): boxes to 1.1.
    write_population(config, "baseline", 2, [individual(0.8, 0.6, 1000, rank=0)], seen=1)
    write_population(config, "roco", 2, [individual(0.2, 0.4, 3000, rank=0)], seen=1)
    baseline, roco = search_progress(config)
    assert baseline.hypervolume == pytest.approx(0.1 * 0.1 * 1.1 / 1.1**3)
    assert roco.hypervolume == pytest.approx(1.1 * 1.1 * 0.1 / 1.1**3)
