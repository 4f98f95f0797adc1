"""Radii and smallest perturbations of linear networks, whose boundaries are known in closed form."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from roco.attacks.norms import margins_of
from roco.attacks.protocol import curve as curve_module
from roco.attacks.protocol import evaluate_robustness
from roco.attacks.protocol.curve import curve_of, search_radii, smallest_of
from roco.attacks.settings import CurveConfig, RobustnessConfig
from roco.attacks.white_box import FAB, FGSM, PGD, DeepFool

RADII = [0.05, 0.2, 0.5, 1.0, 2.0, 4.0]


def boundaries(network: Any, images: Tensor, labels: Tensor, *, dual: int) -> np.ndarray:
    weight = network.weight.detach()
    margins = margins_of(network, images, labels=labels, batch_size=64)
    return (-margins / (weight[1] - weight[0]).norm(p=dual)).clamp(min=0).numpy()


def test_every_image_falls_at_the_first_radius_beyond_its_boundary(make_linear, make_split, monkeypatch) -> None:
    network = make_linear()
    split = make_split(network, 30, spread=60)
    images, labels = torch.from_numpy(split.images), torch.from_numpy(split.labels)
    labels[3] = 1 - labels[3]
    linf = boundaries(network, images, labels, dual=1)
    attacked: list[tuple[float, int]] = []

    def counted(network: Any, images: Tensor, *, attack: Any, **settings: Any) -> Any:
        attacked.append((attack.eps, len(images)))
        return attack_white_box(network, images, attack=attack, **settings)

    attack_white_box = curve_module.attack_white_box
    monkeypatch.setattr(curve_module, "attack_white_box", counted)
    config = CurveConfig(radii=RADII, steps=5, targets=0)
    found = search_radii(network, images, labels=labels, config=config, seed=0)
    curve = curve_of(found.linf, config)
    expected = [linf > r / 255 for r in RADII]
    assert 0 < sum(held.sum() for held in expected) < 30 * len(RADII)
    assert curve.robust_images == tuple("".join("01"[int(mark)] for mark in held) for held in expected)
    assert curve.accuracy == pytest.approx([held.mean() for held in expected])
    assert found.linf[3] == 0
    # Bisection over six radii and one place beyond them: three rounds at most, and only what is in question.
    assert attacked[0] == (RADII[2], 30)
    assert sum(count for _, count in attacked) <= 3 * 30
    # What falls is drawn in: to its boundary, here along the steepest line.
    fallen = np.isfinite(found.linf) & (found.linf > 0)
    assert found.linf[fallen] == pytest.approx(linf[fallen], rel=0.02, abs=1e-6)


@given(
    st.lists(st.floats(0, 0.1) | st.just(float("inf")), min_size=1, max_size=9),
    st.lists(st.floats(0.01, 20), min_size=1, max_size=5, unique=True),
)
def test_accuracy_never_rises_with_the_radius_for_any_image(distances: list[float], radii: list[float]) -> None:
    curve = curve_of(np.array(distances), CurveConfig(radii=sorted(radii)))
    for image in range(len(distances)):
        marks = [robust[image] for robust in curve.robust_images]
        assert marks == sorted(marks, reverse=True)
    assert curve.images == len(distances)
    assert [robust.count("1") / len(distances) for robust in curve.robust_images] == list(curve.accuracy)


def test_smallest_perturbations_are_of_images_that_were_right() -> None:
    found = smallest_of(np.array([0.0, 0.5, 0.25, np.inf]))
    assert (found.median, found.per_image) == (0.5, (0.0, 0.5, 0.25, None))
    assert smallest_of(np.array([0.5, np.inf, np.inf])).median is None
    assert smallest_of(np.array([0.0])).median is None


def test_curve_and_smallest_perturbations_are_the_worst_case_over_all_attacks(make_linear, make_split) -> None:
    network = make_linear()
    split = make_split(network, 12, spread=60)
    images, labels = torch.from_numpy(split.images), torch.from_numpy(split.labels)
    smallest = {
        "deepfool": DeepFool(method="deepfool", steps=5, overshoot=0.5),
        "fab_linf": FAB(method="fab", norm="linf", steps=10, targets=1),
    }
    config = RobustnessConfig(
        images=12,
        attacks={"fgsm": FGSM(method="fgsm", eps=1.0)},
        smallest_perturbations=smallest,
        curve=CurveConfig(radii=RADII, steps=2, targets=1),
    )
    result = evaluate_robustness(network, split, config=config, device=torch.device("cpu"))
    found = result.smallest_perturbations
    for norm, dual in (("l2", 2), ("linf", 1)):
        closed = boundaries(network, images, labels, dual=dual)
        assert found[norm].per_image == pytest.approx(closed.tolist(), rel=0.02, abs=1e-6)
        assert found[norm].median == pytest.approx(np.median(closed), rel=0.02)
    held = np.array([[int(mark) for mark in robust] for robust in result.curve.robust_images])
    at_one = np.array([int(mark) for mark in result.attacks["fgsm"].robust_images])
    assert (held[RADII.index(1.0)] <= at_one).all()
    assert result.curve.accuracy == pytest.approx(held.mean(axis=1))
    assert result.flags == ()


def test_only_what_is_asked_for_is_made(make_linear, make_split) -> None:
    network = make_linear()
    config = RobustnessConfig(images=3, attacks={"pgd": PGD(method="pgd", eps=1.0, alpha=0.5, steps=2)})
    result = evaluate_robustness(network, make_split(network, 5), config=config, device=torch.device("cpu"))
    assert list(result.model_dump()) == ["images", "clean_accuracy", "right_images", "attacks"]
