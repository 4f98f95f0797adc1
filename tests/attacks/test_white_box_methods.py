"""Every attack against a linear network of several classes, whose smallest perturbations are known in closed form."""

from typing import Any

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor, nn

from roco.attacks.batches import Batch
from roco.attacks.norms import DECIDED
from roco.attacks.outcome import Outcome
from roco.attacks.white_box import APGDCE, APGDT, FABT, AutoAttack, Square, WhiteBoxAttack
from roco.attacks.white_box.attack import Attack, Inputs
from roco.attacks.white_box.judge import attack_white_box, summary

IMAGES = 14


def attack_of(method: str, **settings: Any) -> WhiteBoxAttack:
    return TypeAdapter(WhiteBoxAttack).validate_python({"method": method, **settings})


def boundaries(network: nn.Module, images: Tensor, labels: Tensor, *, dual: float) -> np.ndarray:
    """The smallest perturbation of each image: the nearest of the planes where another class leads by DECIDED."""
    logits, weight, rows = network(images.float() / 255).detach(), network.weight.detach(), torch.arange(len(images))
    gaps = logits[rows, labels][:, None] - logits + DECIDED
    lengths = (weight[labels][:, None] - weight).norm(p=dual, dim=2)
    lengths[rows, labels], gaps[rows, labels] = 1.0, torch.inf
    return (gaps / lengths).amin(dim=1).numpy()


class Case:
    """A network, images that it has right, and how far its boundaries are."""

    def __init__(self, make_linear: Any, make_split: Any, classes: int, *, steep: float = 1.0) -> None:
        self.network = make_linear(classes=classes)
        with torch.no_grad():
            # The last class's plane is near although its logit is far below.
            self.network.weight[-1] *= steep
            self.network.bias[-1] = -0.6 * self.network.weight[-1].sum() - steep
        split = make_split(self.network, IMAGES, spread=30)
        self.images, self.labels = torch.from_numpy(split.images), torch.from_numpy(split.labels)
        self.linf = boundaries(self.network, self.images, self.labels, dual=1)
        self.l2 = boundaries(self.network, self.images, self.labels, dual=2)
        # Halfway between two images' boundaries, so that rounding decides nothing.
        self.eps = float(np.sort(self.linf)[IMAGES // 2 - 1 : IMAGES // 2 + 1].mean() * 255)

    def attacked(self, attack: WhiteBoxAttack) -> Outcome:
        return attack_white_box(self.network, self.images, labels=self.labels, attack=attack, seed=0, batch_size=IMAGES)


@pytest.fixture
def case(make_linear, make_split) -> Case:
    return Case(make_linear, make_split, 5)


@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("method", ["apgd_t", "fab_t"])
def test_targeted_attacks_succeed_exactly_beyond_the_boundary(make_linear, make_split, classes, method) -> None:
    case = Case(make_linear, make_split, classes)
    outcome = case.attacked(attack_of(method, eps=case.eps, steps=20, targets=9))
    beyond = case.linf < case.eps / 255
    # FAB goes half a percent too far.
    surely = case.linf < case.eps / 255 / 1.01 if method == "fab_t" else beyond
    assert not outcome.robust[surely].any()
    assert outcome.robust[~beyond].all()
    assert outcome.failures == 0


def test_apgd_on_the_cross_entropy_succeeds_where_pgd_does(make_linear, make_split) -> None:
    # Of two classes there is one plane, and every gradient is its normal.
    case = Case(make_linear, make_split, 2)
    outcome = case.attacked(attack_of("apgd_ce", eps=case.eps, steps=10))
    assert (outcome.robust == (case.linf > case.eps / 255)).all()
    assert outcome.linf[~outcome.robust] == pytest.approx(case.eps / 255, rel=1e-3)


def test_fab_finds_the_smallest_perturbation_in_both_norms(case: Case) -> None:
    for norm, smallest in (("l2", case.l2), ("linf", case.linf)):
        outcome = case.attacked(attack_of("fab", norm=norm, steps=15, targets=4))
        assert getattr(outcome, norm) == pytest.approx(smallest, rel=0.02)
        assert (getattr(outcome, norm) > smallest * 0.999).all()


def test_fab_with_fewer_targets_finds_no_smaller_one(make_linear, make_split) -> None:
    case = Case(make_linear, make_split, 5, steep=9.0)
    all_targets, one = (case.attacked(attack_of("fab", norm="linf", steps=10, targets=n)).linf for n in (4, 1))
    assert (all_targets <= one * 1.0001).all()
    assert (all_targets < one * 0.99).any()


def test_cw_searches_for_its_trade_off(case: Case) -> None:
    settings = {"steps": 80, "learning_rate": 0.001}
    too_small = 0.00001
    assert case.attacked(attack_of("cw", c=too_small, **settings)).robust.any()
    for c in (too_small, 0.001):
        outcome = case.attacked(attack_of("cw_search", c=c, searches=7, patience=10, **settings))
        assert not outcome.robust.any()
        assert (outcome.l2 > case.l2 * 0.999).all()
        assert np.median(outcome.l2 / case.l2) < 1.05


def test_square_finds_no_perturbation_where_there_is_none(case: Case) -> None:
    outcome = case.attacked(attack_of("square", eps=1.5 * case.eps, queries=150))
    assert outcome.robust[case.linf > 1.5 * case.eps / 255].all()
    assert (~outcome.robust).sum() >= 3
    assert outcome.linf[~outcome.robust] == pytest.approx(1.5 * case.eps / 255, rel=1e-3)


def test_noise_is_of_its_size_and_does_little(case: Case) -> None:
    size = 1.2 * float(case.linf.max()) * 255
    white_box = case.attacked(attack_of("fgsm", eps=size))
    noise = case.attacked(attack_of("noise", eps=size, draws=3))
    assert white_box.robust.sum() < noise.robust.sum()
    more = case.attacked(attack_of("noise", eps=200.0, draws=3))
    assert not more.robust.all()
    assert (more.linf[~more.robust] <= 200 / 255 + 1e-6).all()


def test_autoattack_runs_the_standard_four_in_their_order(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    attack = AutoAttack(method="autoattack", eps=case.eps, steps=10, targets=4, queries=10)
    seen: list[tuple[str, int]] = []

    def watched(stage: Attack, inputs: Inputs) -> Tensor:
        seen.append((stage.method, len(inputs.images)))
        return perturb_all(stage, inputs)

    perturb_all = Attack.perturb_all
    monkeypatch.setattr(Attack, "perturb_all", watched)
    outcome = case.attacked(attack)
    assert [method for method, _ in seen] == ["apgd_ce", "apgd_t", "fab_t", "square"]
    counts = [count for _, count in seen]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] == IMAGES
    assert counts[-1] == outcome.robust.sum() == (case.linf > case.eps / 255).sum()


def test_autoattack_is_the_published_protocol() -> None:
    stages = AutoAttack(method="autoattack", eps=8.0).stages()
    assert [type(stage) for stage in stages] == [APGDCE, APGDT, FABT, Square]
    parts = {stage.method: stage.model_dump() for stage in stages}
    assert {part["eps"] for part in parts.values()} == {8.0}
    assert parts["apgd_ce"]["steps"] == parts["apgd_t"]["steps"] == parts["fab_t"]["steps"] == 100
    assert parts["apgd_t"]["targets"] == parts["fab_t"]["targets"] == 9
    assert parts["square"]["queries"] == 5000


def test_the_worst_case_of_several_pixel_attacks_counts(case: Case) -> None:
    searches = [
        {"method": "random_search", "queries": 5, "margin": 0.0},
        {"method": "differential_evolution", "population": 5, "steps": 2},
        {"method": "greedy", "candidates": 4, "margin": 0.0},
        {"method": "sparse_gradient", "steps": 4, "margin": 0.0},
    ]
    alone = [case.attacked(attack_of("l0", pixels=1, attacks=[search])).robust for search in searches]
    both = case.attacked(attack_of("l0", pixels=1, attacks=searches))
    assert both.robust.sum() <= alone[0].sum() < IMAGES
    assert not (both.robust & ~alone[0]).any()
    assert both.failures == 0


def test_a_pixel_attack_that_changes_too_many_pixels_has_found_nothing(case: Case, monkeypatch) -> None:
    monkeypatch.setattr("roco.attacks.white_box.l0.attack_l0", lambda network, images, **settings: 255 - images)
    outcome = case.attacked(attack_of("l0", pixels=63, attacks=[{"method": "random_search", "queries": 1}]))
    assert outcome.failures == IMAGES
    assert outcome.robust.all()


@pytest.mark.parametrize(("targets", "classes", "expected"), [(9, 4, 4), (2, 10, 3)])
def test_more_targets_than_classes_are_all_others(monkeypatch, targets: int, classes: int, expected: int) -> None:
    given: list[int] = []
    monkeypatch.setattr("roco.attacks.white_box.apgd.torchattack", lambda *_, n_classes, **__: given.append(n_classes))
    batch = Batch(lambda images: torch.zeros(len(images), classes), torch.zeros(2, 3, 4, 4), torch.zeros(2), 0)
    attack_of("apgd_t", eps=8.0, targets=targets).perturb(batch)
    assert given == [expected]


def test_restarts_are_stages() -> None:
    assert len(attack_of("apgd_t", eps=8.0, restarts=3).stages()) == 3
    # FAB takes the nearest of its restarts itself.
    assert len(attack_of("fab", norm="l2", restarts=3).stages()) == 1


def test_outcomes_are_joined_in_order_and_keep_their_digits(case: Case) -> None:
    outcome = case.attacked(attack_of("fgsm", eps=case.eps))
    half = IMAGES // 2
    parts = [Outcome(outcome.l2[part], outcome.linf[part], 1) for part in (slice(half), slice(half, None))]
    joined = Outcome.joined([part.record() for part in parts])
    assert joined.l2 == pytest.approx(outcome.l2, rel=1e-6)
    assert (joined.robust == outcome.robust).all()
    assert joined.failures == 2
    assert summary(attack_of("fgsm", eps=case.eps), joined).correct == outcome.robust.sum()
