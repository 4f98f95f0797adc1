"""The sanity flags: each on made-up evidence, and all on a network whose gradients are drowned in its logits."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from roco.attacks.outcome import Outcome
from roco.attacks.protocol import evaluate_robustness
from roco.attacks.protocol.flags import OTHER_BATCH, Evidence, Gap, flags_of, probe_gradients
from roco.attacks.settings import ChecksConfig, CurveConfig, RobustnessConfig
from roco.attacks.white_box import BIM, CW, FGSM, AutoAttack, DeepFool

CONFIG = ChecksConfig(eps=8.0, large_eps=128.0, steps=20, restarts=3, queries=50)
IMAGES, EPS = 100, 8 / 255


def outcome(right: int, *, wrong_before: int = 0) -> Outcome:
    """The first images are still right, the last were wrong from the start, those between fell at eps."""
    linf = np.full(IMAGES, EPS)
    linf[:right] = np.inf
    linf[IMAGES - wrong_before :] = 0.0
    return Outcome(linf, linf)


def evidence(**changes: Any) -> Evidence:
    """Nothing suspicious: PGD leaves 40, 45 after a quarter of its steps; the whole white box leaves 30."""
    right = {"few_steps": 45, "many_steps": 40, "restarts": 38, "large_radius": 2, "square": 70, "noise": 95}
    checks = {name: outcome(right[name]) for name in right} | changes.pop("checks", {})
    known = {
        "white_box": outcome(30).linf,
        "square": checks["square"].linf,
        "unsteady": 0,
        "without_budget": {"deepfool": outcome(0), "cw": outcome(1)},
        "gaps": [Gap(1.0, pgd=70, autoattack=65), Gap(8.0, pgd=38, autoattack=30)],
        "repeated": {"deepfool": 0, "cw": 1},
        "transferred": np.full(IMAGES, np.nan),
        "zero_gradients": 0,
        "broken": 0,
        "failures": 0,
    }
    return Evidence(checks=checks, **(known | changes))


def raised(found: Evidence) -> set[str]:
    return {flag.name for flag in flags_of(found, CONFIG) if flag.raised}


def test_nothing_suspicious_raises_nothing() -> None:
    flags = flags_of(evidence(), CONFIG)
    assert not any(flag.raised for flag in flags)
    assert len({flag.name for flag in flags}) == len(flags) == 11
    details = {flag.name: flag.detail for flag in flags}
    assert details["more_steps"] == "PGD at 8/255 leaves 45 of 100 images right after 5 steps and 40 after 20"


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("more_steps", {"checks": {"few_steps": outcome(37)}}),
        ("large_radius", {"checks": {"large_radius": outcome(6)}}),
        ("gradient_free", {"checks": {"square": outcome(27)}}),
        ("noise", {"checks": {"noise": outcome(40)}}),
        ("restarts", {"checks": {"restarts": outcome(34)}}),
        ("autoattack", {"gaps": [Gap(1.0, pgd=70, autoattack=65), Gap(8.0, pgd=41, autoattack=30)]}),
        ("without_budget", {"without_budget": {"deepfool": outcome(0), "cw": outcome(3)}}),
        ("batches", {"unsteady": 3}),
        ("batches", {"repeated": {"deepfool": 2}}),
        ("zero_gradients", {"zero_gradients": 3}),
        ("not_finite", {"broken": 1}),
        ("not_finite", {"failures": 1}),
    ],
)
def test_each_flag_is_raised_by_its_own_evidence(name: str, change: dict[str, Any]) -> None:
    assert raised(evidence(**change)) == {name}


def test_a_little_is_chance() -> None:
    checks = {"few_steps": outcome(38), "square": outcome(28), "restarts": outcome(35), "large_radius": outcome(5)}
    assert raised(evidence(checks=checks, zero_gradients=2)) == set()


def test_images_from_other_networks_count_where_no_white_box_attack_succeeds() -> None:
    transferred = np.full(IMAGES, np.nan)
    transferred[:3] = 3 / 255
    assert raised(evidence(transferred=transferred)) == {"transfer"}
    # Larger than the budget, tried without success, or fooled by white-box attacks as well.
    transferred[:3] = 10 / 255, np.inf, np.nan
    transferred[50:60] = 3 / 255
    found = evidence(transferred=transferred)
    assert raised(found) == set()
    details = {flag.name: flag.detail for flag in flags_of(found, CONFIG)}
    assert details["transfer"].startswith("of 12 attacked images that are in the adversarial set, 0 fall")


def test_images_that_were_wrong_before_are_no_success_of_noise() -> None:
    checks = {"noise": outcome(90, wrong_before=10), "many_steps": outcome(85, wrong_before=10)}
    assert "noise" not in raised(evidence(checks=checks))


def test_the_checks_compare_what_they_say() -> None:
    attacks = {name: attack.model_dump() for name, attack in CONFIG.attacks().items()}
    assert (attacks["few_steps"]["steps"], attacks["many_steps"]["steps"]) == (5, 20)
    assert attacks["restarts"]["restarts"] == 2
    assert attacks["large_radius"]["eps"] == 128.0
    assert {attack["eps"] for name, attack in attacks.items() if name != "large_radius"} == {8.0}


class Scaled(nn.Module):
    def __init__(self, inner: nn.Module, factor: float) -> None:
        super().__init__()
        self.inner, self.factor = inner, factor

    def forward(self, images: Tensor) -> Tensor:
        return self.inner(images) * self.factor


def test_logits_scaled_by_a_thousand_raise_flags_and_fool_no_verdict(make_linear, make_split) -> None:
    network = make_linear(classes=4)
    split = make_split(network, 40, spread=60)
    config = RobustnessConfig(
        images=40,
        attacks={"fgsm": FGSM(method="fgsm", eps=8.0)},
        curve=CurveConfig(radii=[8.0], steps=10, targets=3),
        checks=CONFIG,
    )
    plain, scaled = (
        evaluate_robustness(Scaled(network, factor), split, config=config, device=torch.device("cpu"))
        for factor in (1.0, 1000.0)
    )
    assert not any(flag.raised for flag in plain.flags)
    flags = {flag.name for flag in scaled.flags if flag.raised}
    assert {"zero_gradients", "large_radius"} <= flags
    assert plain.attacks["fgsm"].accuracy < 0.2 < scaled.attacks["fgsm"].accuracy
    # APGD on a ratio of logits sees through it.
    assert scaled.curve.accuracy[0] <= plain.curve.accuracy[0] + 0.05


def test_gradients_that_are_zero_or_not_finite_are_counted() -> None:
    class Odd(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            mean = images.mean(dim=(1, 2, 3))
            factor = torch.tensor([1.0, 0.0, torch.nan])
            return torch.stack([mean * factor, -mean * factor], dim=1)

    images = torch.full((3, 3, 8, 8), 100, dtype=torch.uint8)
    found = probe_gradients(Odd(), images, labels=torch.zeros(3, dtype=torch.int64), batch_size=3)
    assert (found.zero, found.broken, found.unsteady) == ("010", "001", "000")


class Masked(nn.Module):
    """A network that shows no gradient to follow: only what asks it again and again finds its boundary."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, images: Tensor) -> Tensor:
        return self.inner(images.detach()) + 0.0 * images.sum()


def test_what_only_the_square_part_of_autoattack_breaks_raises_a_flag(make_linear, make_split) -> None:
    network = make_linear(classes=4, blocks=4)
    split = make_split(network, 40, spread=60)
    attack = AutoAttack(method="autoattack", eps=16.0, steps=4, targets=3, queries=200)
    pgd = BIM(method="bim", eps=16.0, alpha=4.0, steps=5)
    # One query of the check itself finds little.
    checks = ChecksConfig(eps=16.0, large_eps=128.0, steps=4, restarts=2, queries=1)
    config = RobustnessConfig(images=40, attacks={"aa_16": attack, "bim": pgd}, checks=checks)
    plain, masked = (
        evaluate_robustness(tested, split, config=config, device=torch.device("cpu"))
        for tested in (network, Masked(network))
    )
    flags = [{flag.name: flag for flag in result.flags} for result in (plain, masked)]
    assert not flags[0]["gradient_free"].raised
    assert not flags[0]["autoattack"].raised
    found = masked.attacks["aa_16"].found_by
    assert list(found) == ["apgd_ce", "apgd_t", "fab_t", "square"]
    # A random start finds what lies very near.
    assert found["square"] > 2 * sum(found[name] for name in ("apgd_ce", "apgd_t", "fab_t"))
    assert flags[1]["gradient_free"].raised
    assert flags[1]["autoattack"].raised


def test_attacks_without_a_budget_that_fail_raise_a_flag(make_linear, make_split) -> None:
    network = make_linear(classes=4)
    split = make_split(network, 40, spread=60)
    attacks = {"deepfool": DeepFool(method="deepfool"), "cw": CW(method="cw", c=1e-6, steps=2)}
    config = RobustnessConfig(images=40, attacks=attacks, checks=CONFIG)
    result = evaluate_robustness(network, split, config=config, device=torch.device("cpu"))
    [flag] = [flag for flag in result.flags if flag.name == "without_budget"]
    assert flag.raised
    left = result.attacks["cw"].correct
    assert flag.detail == f"of 40 images, attacks without a budget leave right: deepfool 0, cw {left}"
    assert left > 10
    assert "batches" not in {flag.name for flag in result.flags if flag.raised}


def test_a_network_that_looks_at_the_batch_raises_a_flag(make_linear, make_split) -> None:
    class Neighbourly(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, images: Tensor) -> Tensor:
            logits: Tensor = self.inner(images)
            return logits - logits.mean(dim=0)

    network = make_linear(classes=4)
    images = torch.from_numpy(make_split(network, 40).images)
    labels = torch.zeros(40, dtype=torch.int64)
    assert probe_gradients(network, images, labels=labels, batch_size=40).unsteady == "0" * 40
    found = probe_gradients(Neighbourly(network), images, labels=labels, batch_size=40).unsteady
    assert found.count("1") >= 3
    assert probe_gradients(Neighbourly(network), images, labels=labels, batch_size=OTHER_BATCH).unsteady == "0" * 40
