"""The attacks' work by hand: 3 images, thresholds 1, 3 and 4."""

from typing import Any

import pytest

from roco.config import check_config
from roco.study.workload import Images, Work, attack_work, robustness_work

IMAGES = Images(train=50, validation=20, test=30, adversarial=9, test_adversarial=11, classes=10, size=16)


@pytest.mark.parametrize(
    ("attack", "forward", "gradient"),
    [
        ({"method": "differential_evolution", "population": 7, "steps": 2}, 3 * 3 * 7 * 3, 0),
        ({"method": "random_search", "queries": 11, "greedy_candidates": 0}, 3 * 3 * 11, 0),
        ({"method": "random_search", "queries": 11, "greedy_candidates": 5}, 3 * 3 * 11 + 3 * 4 * 5, 3 * 4),
        (
            {"method": "random_search", "queries": 11, "greedy_candidates": 0, "exhaustive": True},
            3 * 8 * 256 + 3 * 2 * 11,
            0,
        ),
        ({"method": "greedy", "candidates": 5}, 3 * 4 * 5, 3 * 4),
        ({"method": "greedy", "candidates": 5, "rivals": 2, "corners": 3}, 3 * (4 * 5 + 3 * 8 * 3), 3 * (1 + 3 * 2)),
        ({"method": "greedy", "candidates": 100}, 3 * (64 + 3 * 100), 3 * 4),
        ({"method": "greedy", "candidates": 5, "exhaustive": True}, 3 * 8 * 256 + 3 * 3 * 5, 3 * 3),
        ({"method": "sparse_gradient", "steps": 6}, 0, 3 * 3 * 6),
    ],
)
def test_the_work_of_l0_attacks(attack: dict[str, Any], forward: int, gradient: int) -> None:
    section = {"images": 3, "thresholds": [1, 3, 4], "l0_attack": attack}
    config = check_config({"experiment": "try", "dataset": {"name": "digits"}, "adversarial": section})
    assert attack_work(config, "lenet", "l0", IMAGES) == Work("lenet", forward=forward, gradient=gradient)


def test_nothing_is_exhaustive_without_a_threshold_of_one() -> None:
    section = {"images": 3, "thresholds": [2, 4], "l0_attack": {"method": "greedy", "exhaustive": True}}
    config = check_config({"experiment": "try", "dataset": {"name": "digits"}, "adversarial": section})
    assert attack_work(config, "lenet", "l0", IMAGES) == Work("lenet", forward=3 * 4 * 32, gradient=3 * 4)


@pytest.mark.parametrize(
    ("attack", "forward", "gradient"),
    [
        ({"method": "pgd", "eps": 8.0, "alpha": 2.0, "steps": 5, "restarts": 3}, 0, 15),
        ({"method": "autoattack", "eps": 8.0, "steps": 20}, 0, 20),
        ({"method": "square", "eps": 8.0, "queries": 30}, 30, 0),
        ({"method": "noise", "eps": 8.0, "draws": 4}, 4, 0),
        ({"method": "apgd_t", "eps": 8.0, "steps": 6, "targets": 3, "restarts": 2}, 0, 36),
        # There are nine wrong classes.
        ({"method": "apgd_t", "eps": 8.0, "steps": 6, "targets": 20}, 0, 54),
        ({"method": "fab_t", "eps": 8.0, "steps": 6, "targets": 3, "restarts": 2}, 36, 36),
        ({"method": "fab", "norm": "l2", "steps": 6, "targets": 2}, 12, 12),
        ({"method": "cw_search", "searches": 3, "steps": 7}, 0, 21),
        ({"method": "l0", "pixels": 2, "attacks": [{"method": "greedy", "candidates": 5}]}, 10, 2),
        ({"method": "l0", "pixels": 2, "attacks": [{"method": "greedy", "candidates": 5, "rivals": 3}]}, 10, 1 + 3),
        ({"method": "l0", "pixels": 2, "attacks": [{"method": "random_search", "queries": 9}]}, 9 + 2 * 32, 2),
        ({"method": "l0", "pixels": 2, "attacks": [{"method": "differential_evolution", "steps": 3}]}, 400, 0),
    ],
)
def test_the_work_of_white_box_attacks(attack: dict[str, Any], forward: int, gradient: int) -> None:
    robustness = {"images": 4, "attacks": {"one": attack}}
    config = check_config({"experiment": "try", "dataset": {"name": "digits"}, "robustness": robustness})
    expected = Work("retraining", forward=30 + 2 * 11 + 4 * forward, gradient=4 * gradient)
    assert robustness_work(config, IMAGES) == expected


def test_deepfool_costs_a_pass_alone_for_each_class() -> None:
    robustness = {"images": 4, "attacks": {"one": {"method": "deepfool"}}}
    config = check_config({"experiment": "try", "dataset": {"name": "digits"}, "robustness": robustness})
    assert robustness_work(config, IMAGES) == Work("retraining", forward=30 + 2 * 11, alone=4 * 10)


def test_the_work_of_curves_perturbations_and_checks() -> None:
    robustness = {
        "images": 4,
        "attacks": {"one": {"method": "fgsm", "eps": 1.0}},
        "curve": {"radii": [1.0, 2.0, 3.0], "steps": 5, "targets": 4},
        "smallest_perturbations": {"cw": {"method": "cw_search", "searches": 2, "steps": 3}},
        "checks": {"steps": 8, "restarts": 3, "queries": 20},
    }
    config = check_config({"experiment": "try", "dataset": {"name": "digits"}, "robustness": robustness})
    # APGD-CE on all images, APGD-T's four targets on the half that holds.
    gradients = 1 + 2 * (5 + 5 * 4 // 2) + 2 * 3 + (2 + 8 + 2 * 8 + 8)
    assert robustness_work(config, IMAGES) == Work(
        "retraining", forward=30 + 2 * 11 + 4 * (20 + 5), gradient=4 * gradients
    )
    without = robustness | {"curve": {"radii": [1.0, 2.0, 3.0], "steps": 5, "targets": 0}}
    config = check_config({"experiment": "try", "dataset": {"name": "digits"}, "robustness": without})
    assert robustness_work(config, IMAGES).gradient == 4 * (gradients - 2 * 10)
