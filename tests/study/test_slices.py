from pathlib import Path

import pytest
from half_done_study import config_of

from roco.attacks.settings import RobustnessConfig
from roco.config import StudyConfig, check_config
from roco.study.images import Images, images_of
from roco.study.plan import everything_pending, kinds_to_measure
from roco.study.shortened import attack_parts, longest, shortened
from roco.study.slices import seconds_by_kind, typical_genomes, whole_seconds

IMAGES = Images(train=64, validation=20, test=30, classes=10, size=16)
PROTOCOL = {
    "images": 6,
    "attacks": {
        "pgd": {"method": "pgd", "eps": 8.0, "alpha": 2.0, "steps": 40},
        "l0": {"method": "l0", "pixels": 2, "attacks": [{"method": "random_search", "queries": 20}]},
    },
    "curve": {"radii": [1.0], "steps": 100, "targets": 0},
    "smallest_perturbations": {"cw": {"method": "cw_search", "searches": 1, "steps": 3}},
    "checks": {"steps": 8, "queries": 10},
}


@pytest.mark.parametrize(("fixed", "whole"), [(0.5, 100.0), (0.0, 0.1)])
def test_what_costs_a_fixed_time_and_one_in_proportion_is_drawn_out_exactly(fixed: float, whole: float) -> None:
    shares = []

    def run(share: float) -> float:
        shares.append(share)
        return fixed + whole * share

    assert whole_seconds(run, first=0.001, limit=2.0) == pytest.approx(fixed + whole)
    # The first run only warms up. None begins that would take much longer than the limit.
    assert shares[0] == shares[1] == 0.001
    assert all(each == 0.001 or fixed + whole * each <= 2.0 + fixed for each in shares)


def test_a_run_may_be_the_whole() -> None:
    assert whole_seconds(lambda share: 0.1, first=1.0, limit=1.0) == 0.1


def test_shorter_attacks_have_a_share_of_their_steps_and_queries() -> None:
    whole = RobustnessConfig.model_validate(PROTOCOL)
    assert (longest(whole), longest(whole.attacks["l0"])) == (100, 20)
    config = shortened(whole, 0.25).model_dump()
    assert config["attacks"]["pgd"]["steps"] == 10
    assert config["attacks"]["pgd"]["alpha"] == 2.0
    assert config["attacks"]["l0"]["attacks"][0]["queries"] == 5
    assert config["curve"]["steps"] == 25
    # No fewer than four, but where there are fewer anyway.
    assert config["checks"]["steps"] == 4
    assert config["smallest_perturbations"]["cw"]["steps"] == 3


def test_the_parts_of_a_protocol_are_all_of_it() -> None:
    config = RobustnessConfig.model_validate(PROTOCOL | {"fewer": {"images": 2, "attacks": ["l0"]}})
    parts = attack_parts(config)
    assert list(parts) == ["pgd", "l0", "smallest cw", "curve", "checks"]
    assert {name for part in parts.values() for name in part.attacks} == set(config.attacks)
    assert [part.images for part in parts.values()] == [6, 2, 2, 2, 2]
    assert [name for name, part in parts.items() if part.curve] == ["curve"]


def study(folder: Path) -> StudyConfig:
    raw = config_of(folder).model_dump(mode="json") | {"device": "cpu", "robustness": PROTOCOL}
    raw["adversarial"] |= {"images": 5, "l0_attack": {"method": "greedy", "candidates": 4}, "thresholds": [1, 2]}
    return check_config(raw)


def test_every_kind_of_job_is_measured_with_its_own_code(tmp_path: Path) -> None:
    config, told = study(tmp_path), list[str]()
    kinds = kinds_to_measure(config, everything_pending(config))
    seconds = seconds_by_kind(config, IMAGES, kinds=kinds, seconds=0.5, tell=told.append)
    assert set(seconds) == set(kinds)
    assert set(kinds) == {
        ("target", "lenet"),
        ("adversarial_cells", "l0", "lenet"),
        ("adversarial_cells", "linf", "lenet"),
        ("evaluate",),
        ("retrain",),
        *(("robustness", part) for part in attack_parts(config.robustness)),
    }
    assert min(seconds.values()) > 0
    assert told[:2] == ["lenet", "l0 images of lenet"]
    # Twice as many epochs, and validation images too.
    assert seconds["retrain",] > seconds["evaluate",]


def test_typical_genomes_can_be_one_stack(tmp_path: Path) -> None:
    genomes = typical_genomes(config_of(tmp_path), IMAGES, 5)
    assert len({len(genome.phenotype.phases) for genome in genomes}) == 1
    assert typical_genomes(config_of(tmp_path), IMAGES, 1) == genomes[:1]


def test_images_before_the_data_set_is_made(tmp_path: Path) -> None:
    # scikit-learn has 1,797 digits, of which a fifth are test images.
    images = images_of(config_of(tmp_path))
    assert images is not None
    assert images.train + images.validation + images.test == 1797
