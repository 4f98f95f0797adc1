"""Searches against the random search, recomputed from the population files."""

from pathlib import Path

import pytest
from fabricated_study import config_of, fabricate
from scipy.stats import ttest_1samp

from roco.report.measures.compare import roles
from roco.report.measures.searched import hypervolume_course
from roco.report.read.collect import collect
from roco.report.tables.control import make as hypervolume_gain

SEARCHES = {
    "random": {"objectives": ["error", "flops", "adversarial_error"], "method": "random"},
    "baseline": ["error", "flops"],
    "roco": ["error", "flops", "adversarial_error"],
}


def test_gain_is_paired_by_seed_at_equal_evaluations(tmp_path: Path) -> None:
    config = config_of(SEARCHES)
    study = collect(fabricate(tmp_path, config).files)
    table = hypervolume_gain(study, config)
    course = hypervolume_course(study).set_index(["objectives", "search", "seed", "generation"])["hypervolume"]
    assert len(table.numbers) == 2 * 2 * (config.search.generations + 1)
    for row in table.numbers.itertuples():
        of_search, of_control = (
            [course[row.objectives, search, seed, row.generation] for seed in config.seeds]
            for search in (row.search, "random")
        )
        gains = [one - other for one, other in zip(of_search, of_control, strict=True)]
        assert row.difference == pytest.approx(sum(gains) / 3)
        expected = ttest_1samp(gains, 0)
        assert (row.low, row.high) == pytest.approx(tuple(expected.confidence_interval(0.95)))
        assert row.p == pytest.approx(expected.pvalue)
        assert row.evaluations == 8 * (row.generation + 1)
    assert len(table.rows) == len(table.numbers)
    # Three seeds are too few for a verdict, whatever they say.
    assert not table.numbers["resolved"].any()
    assert {row[-1] for row in table.rows} == {"no verdict below 5 seeds"}


def test_verdicts_are_corrected_for_their_number(tmp_path: Path) -> None:
    config = config_of(SEARCHES, seeds=range(5))
    numbers = hypervolume_gain(collect(fabricate(tmp_path, config).files), config).numbers
    smallest = numbers.loc[numbers["p"].idxmin()]
    assert smallest["p_holm"] == pytest.approx(min(1, len(numbers) * smallest["p"]))
    assert (numbers["resolved"] == (numbers["p_holm"] < 0.05)).all()


def test_the_control_counts_with_what_it_had_for_no_more_evaluations(tmp_path: Path) -> None:
    config = config_of(SEARCHES, seeds=[0])
    study = collect(fabricate(tmp_path, config).files)
    ahead = study.populations["search"] == "random"
    study.populations.loc[ahead, "evaluations"] += 3
    numbers = hypervolume_gain(study, config).numbers
    course = hypervolume_course(study)
    first = course[(course["search"] == "random") & (course["generation"] == 0)].set_index("objectives")["hypervolume"]
    # After its first generation the control had cost 11 networks, and after its second 19: more than the others' 16.
    assert set(numbers["generation"]) == {1, 2, 3}
    for row in numbers[numbers["generation"] == 1].itertuples():
        assert row.control_hypervolume == first[row.objectives]
    assert numbers["low"].isna().all()
    assert not numbers["resolved"].any()


def test_without_a_random_search_the_table_says_so(tmp_path: Path) -> None:
    config = config_of(seeds=[0])
    table = hypervolume_gain(collect(fabricate(tmp_path, config).files), config)
    assert table.rows == ()
    assert "holds no random search" in " ".join(table.notes)


def test_a_random_search_is_neither_the_reference_nor_the_main_one() -> None:
    role = roles(config_of(SEARCHES).search.searches)
    assert (role.reference, role.others, role.main) == ("baseline", ("roco", "random"), "roco")
