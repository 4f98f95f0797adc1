"""The comparison that decides the first sentence, the correction of all others, and what the page says of chance."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from fabricated_study import config_of, fabricate
from scipy.stats import false_discovery_control

from roco.config import StudyConfig
from roco.errors import ConfigError
from roco.report.measures.compare import roles_of
from roco.report.measures.differences import DIFFERENCES, judged
from roco.report.measures.main_comparison import main_measure, main_selection
from roco.report.page.answer import answer
from roco.report.read.collect import collect
from roco.report.tables.differences import make as all_differences

CURVE = {"radii": [0.5, 1.0, 4.0], "steps": 2, "targets": 1}


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Five seeds of two searches, the second more robust by 8 points."""
    folder: Path = tmp_path_factory.mktemp("five")
    config = config_of(seeds=range(5))
    study = collect(fabricate(folder, config).files)
    return SimpleNamespace(config=config, study=study, table=all_differences(study, config))


def with_main(config: StudyConfig, **main: object) -> StudyConfig:
    report = {"top": [1, 3, 5], "main": main}
    return config_of(seeds=config.seeds, report=report, robustness=_with_curve(config))


def _with_curve(config: StudyConfig) -> dict[str, object]:
    return config.robustness.model_dump() | {"curve": CURVE}


def test_the_measure_is_the_radius_at_which_both_searches_hold_nearest_to_a_half(
    five: SimpleNamespace,
) -> None:
    measure = main_measure(five.study, five.config)
    curves = five.study.curves.query("search != 'references' and radius > 0")
    means = curves.groupby("radius")["accuracy"].mean()
    assert measure is not None
    assert measure.radius == (means - 0.5).abs().idxmin()
    assert measure.accuracy == pytest.approx(means[measure.radius])
    # Whose networks they are plays no part.
    swapped = five.study.curves.assign(
        search=five.study.curves["search"].map(lambda name: {"roco": "baseline"}.get(name, "roco"))
    )
    assert main_measure(replace(five.study, curves=swapped), five.config).radius == measure.radius


def test_without_a_curve_it_is_the_strongest_attack_that_tells_networks_apart(five: SimpleNamespace) -> None:
    study = replace(five.study, curves=five.study.curves.iloc[:0])
    assert main_measure(study, five.config).name == "pgd"
    attacks = study.attacks
    fallen = attacks.assign(correct=attacks["correct"].where(attacks["attack"] != "pgd", 0))
    # The single step of FGSM, DeepFool and C&W are no measure, however much they leave.
    assert main_measure(replace(study, attacks=fallen), five.config).name == "bim"
    both = attacks.assign(correct=attacks["correct"].where(~attacks["attack"].isin(["pgd", "bim"]), 0))
    measure = main_measure(replace(study, attacks=both), five.config)
    assert (measure.name, measure.tells_apart) == ("pgd", False)
    assert main_measure(replace(study, attacks=attacks.iloc[:0]), five.config).name == "adversarial_set"


def test_the_configuration_may_name_all_of_it(five: SimpleNamespace) -> None:
    config = with_main(five.config, search="baseline", reference="roco", networks=3, measure=1.0)
    assert (roles_of(config).reference, roles_of(config).main) == ("roco", "baseline")
    table = all_differences(five.study, config)
    main = table.numbers[table.numbers["main"]].iloc[0]
    assert tuple(main[["search", "reference", "selection", "metric"]]) == ("baseline", "roco", "top_3", "radius_1")
    assert "all attacks within 1/255" in table.notes[0]
    assert "The configuration names what it measures." in table.notes[0]
    first = answer(table.numbers, table.numbers, config)[0]
    assert first.startswith("Among the 3 lightest networks, networks found by baseline are ")
    assert "within a radius of 1/255" in first
    named = all_differences(five.study, with_main(five.config, measure="bim")).numbers.query("main").iloc[0]
    assert (named["metric"], named["search"]) == ("bim", "roco")


@pytest.mark.parametrize(
    ("main", "message"),
    [
        ({"search": "nobody"}, r"report\.main\.search: expected one of baseline, roco, got 'nobody'"),
        ({"search": "roco", "reference": "roco"}, r"report\.main\.reference: expected one of baseline, got 'roco'"),
        ({"networks": 2}, r"report\.main\.networks: expected one of equal_flops, interpolated, 1, 3, 5, got '2'"),
        (
            # What an attack without a budget leaves right is its own failure.
            {"measure": "cw"},
            r"report\.main\.measure: expected one of test, adversarial_set, .*pgd, 0\.5, 1, 4, got 'cw'",
        ),
        ({"measure": 2}, r"report\.main\.measure: expected one of .*got '2.0'"),
    ],
)
def test_a_comparison_that_the_study_does_not_have_is_one_line(
    five: SimpleNamespace, main: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        with_main(five.config, **main)


def _rows(*rows: tuple[str, int, int, int]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["selection", "seeds", "networks", "same_networks"])


def test_which_networks_are_compared_is_decided_by_flops_alone(five: SimpleNamespace) -> None:
    config = five.config
    every = [("equal_flops", 5, 9, 2), ("interpolated", 9, 30, 3), ("top_1", 9, 9, 0), ("top_5", 9, 45, 0)]
    assert main_selection(_rows(*every), config) == "equal_flops"
    assert main_selection(_rows(("equal_flops", 4, 9, 2), *every[1:]), config) == "interpolated"
    # Pairs of one network with itself compare nothing.
    assert main_selection(_rows(("equal_flops", 9, 9, 9), *every[2:]), config) == "top_5"
    assert main_selection(_rows(("equal_flops", 2, 9, 9)), config) == "equal_flops"
    assert main_selection(_rows(), config) is None


def test_the_main_comparison_stands_alone_and_all_others_are_corrected(five: SimpleNamespace) -> None:
    numbers = five.table.numbers
    assert list(numbers) == DIFFERENCES
    assert numbers["main"].sum() == 1
    main, others = numbers[numbers["main"]].iloc[0], numbers[~numbers["main"]]
    assert np.isnan(main["p_holm"])
    assert main["resolved"] == (main["p"] < 0.05)
    counted = others[others["p"].notna() & (others["seeds"] >= 5)]
    # Holm's procedure lies between Bonferroni's and Benjamini and Hochberg's.
    assert (counted["p_holm"] <= np.minimum(1, counted["p"] * len(counted)) + 1e-12).all()
    assert (counted["p_holm"] >= false_discovery_control(counted["p"]) - 1e-12).all()
    assert (others["resolved"] == (others["p_holm"] < 0.05)).all()
    assert 0 < others["resolved"].sum() < (others["p"] < 0.05).sum()
    assert (numbers["resolved"] <= (numbers["low"] > 0) | (numbers["high"] < 0)).all()


def test_the_page_counts_its_comparisons_and_the_stars_of_chance(five: SimpleNamespace) -> None:
    numbers = five.table.numbers
    others = numbers[~numbers["main"]]
    count = int(others["p_holm"].notna().sum())
    said = " ".join(five.table.notes)
    assert f"the {count} others" in said
    assert f"chance alone would give {0.05 * count:.1f} stars in {count} if nothing differed" in said
    assert f"here {(others['p'] < 0.05).sum()} have p < 0.05" in said
    assert sum("*" in cell for row in five.table.rows for cell in row) == numbers["resolved"].sum()


def test_four_seeds_decide_nothing_and_do_not_count() -> None:
    rows = pd.DataFrame({"p": [1e-6, 1e-6, 0.03, 0.2], "seeds": [4, 5, 5, 4], "main": [False, False, False, True]})
    found = judged(rows)
    assert found["resolved"].tolist() == [False, True, True, False]
    assert found["p_holm"].isna().tolist() == [True, False, False, True]
    main = judged(pd.DataFrame({"p": [0.04, 0.06, 0.04], "seeds": [5, 5, 4], "main": [True] * 3}))
    assert main["resolved"].tolist() == [True, False, False]


def test_the_first_sentence_warns_where_all_networks_fall(five: SimpleNamespace) -> None:
    numbers = five.table.numbers
    assert "tell them apart" not in answer(numbers, numbers, five.config)[0]
    fallen = answer(numbers.assign(accuracy=0.031), numbers, five.config)[0]
    assert fallen.endswith("; but 3.1 % of the images hold there over all these networks, too few to tell them apart.")
