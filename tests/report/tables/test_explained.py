"""What topology explains, on made-up evaluations whose adversarial error is known."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from fabricated_study import config_of

from roco.report.measures.topology import FEATURES
from roco.report.numbers.over_seeds import over_seeds
from roco.report.read.collect import Study
from roco.report.tables.explained import EXPLAINED, FREEDOM
from roco.report.tables.explained import make as explained
from roco.space.genome import Genome, bits_per_phase

SLOPES = {"depth": 0.01, "width": -0.02, "ends": 0.0, "residual": 0.03}
DOUBLED, POINT = -0.04, 0.7


def study_of(made: SimpleNamespace, *, seeds: int, networks: int, noise: float) -> Study:
    """The made-up study with other evaluations: of each seed so many random networks, half of them of the start."""
    generator, rows = np.random.default_rng(7), []
    for seed in range(seeds):
        for number in range(networks):
            bits = generator.random((3, bits_per_phase(6))) < generator.uniform(0.1, 0.9)
            genome = Genome.from_bits(bits.ravel(), phases=3, nodes=6)
            counts = {name: count(genome.phenotype) for name, (_, count) in FEATURES.items()}
            flops, error = int(generator.integers(4e6, 4e7)), float(generator.uniform(0.1, 0.4))
            topology = sum(slope * counts[name] for name, slope in SLOPES.items())
            # A seed's own level says nothing of topology.
            adversarial = 3 + 0.1 * seed + topology + DOUBLED * np.log2(flops) + POINT * error
            row = {"genome": str(genome), "key": f"{seed:04d}{number:08d}", "flops": flops, "parameters": flops // 100}
            row |= {"status": "ok", "error": error, "adversarial_error": adversarial + noise * generator.normal()}
            rows.append({"search": "initial" if number % 2 else "roco", "seed": seed, "generation": number % 2} | row)
    evaluations = pd.DataFrame(rows).reindex(columns=made.study.evaluations.columns)
    one = made.study.populations.iloc[:1]
    places = [one.assign(search=name, seed=seed) for name in ("baseline", "roco") for seed in range(seeds)]
    return replace(made.study, evaluations=evaluations, populations=pd.concat(places))


def test_coefficients_are_those_that_made_the_errors(made: SimpleNamespace) -> None:
    table = explained(study_of(made, seeds=5, networks=60, noise=0.0), config_of(seeds=range(5)))
    numbers = table.numbers.set_index("term")
    assert list(table.numbers.columns) == EXPLAINED
    for name, slope in SLOPES.items():
        assert numbers.loc[name, "coefficient"] == pytest.approx(slope, abs=1e-9)
    assert numbers.loc["log2_flops", "coefficient"] == pytest.approx(DOUBLED)
    assert numbers.loc["error", "coefficient"] == pytest.approx(POINT)
    covariates, topology = (numbers.loc[name, "coefficient"] for name in ("covariates", "topology"))
    assert covariates + topology == pytest.approx(1)
    assert 0.1 < topology < 1
    # The start of a seed belongs to both searches, and its networks count once.
    assert set(numbers["networks"]) == {5 * 60}
    shown = {row[0]: row[1] for row in table.rows}
    assert shown["FLOPs, doubled"] == "−4.00"
    assert shown["clean validation error, a point more"] == "+0.70"


def test_intervals_are_over_the_seeds_own_regressions(made: SimpleNamespace) -> None:
    study = study_of(made, seeds=5, networks=60, noise=0.02)
    numbers = explained(study, config_of(seeds=range(5))).numbers.set_index("term")
    alone = []
    for seed in range(5):
        part = study.evaluations[study.evaluations["seed"] == seed]
        graphs = [Genome.parse(text).phenotype for text in part["genome"]]
        columns = [[float(FEATURES[name][1](graph)) for graph in graphs] for name in SLOPES]
        design = np.column_stack([np.ones(len(part)), *columns, np.log2(part["flops"].astype(float)), part["error"]])
        alone.append(np.linalg.lstsq(design, part["adversarial_error"].to_numpy(), rcond=None)[0][3])
    expected, row = over_seeds(alone).interval, numbers.loc["ends"]
    assert (row["coefficient"], row["low"], row["high"]) == pytest.approx((expected.value, expected.low, expected.high))
    assert row["low"] < row["coefficient"] < row["high"]
    assert numbers["resolved"].to_dict()["residual"] is True
    assert numbers["resolved"].to_dict()["ends"] is False
    assert numbers["resolved"].to_dict()["error"] is None
    assert set(numbers["basis"]) == {"seeds"}


def test_one_seed_has_its_own_interval_and_no_verdict(made: SimpleNamespace) -> None:
    table = explained(study_of(made, seeds=1, networks=60, noise=0.02), config_of(seeds=[0]))
    numbers = table.numbers.set_index("term")
    assert numbers.loc["residual", "low"] > 0
    assert set(numbers["basis"]) == {"networks of one seed", "one seed"}
    assert True not in numbers["resolved"].to_list()
    assert "*" not in "".join(cell for row in table.rows for cell in row)
    assert "It says nothing about another run" in " ".join(table.notes)


def test_too_few_networks_say_so(made: SimpleNamespace) -> None:
    few = 7 + FREEDOM - 1
    table = explained(study_of(made, seeds=2, networks=few, noise=0.02), config_of(seeds=[0, 1]))
    assert table.rows == ()
    assert f"No seed has enough networks ({few + 1} or more)" in " ".join(table.notes)
    assert len(explained(study_of(made, seeds=2, networks=few + 1, noise=0.02), config_of(seeds=[0, 1])).rows) == 8
