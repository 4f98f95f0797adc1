from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from roco.attacks.batches import Batch
from roco.attacks.norms import DECIDED, margins_of
from roco.attacks.protocol import evaluate_robustness
from roco.attacks.records import AttackSummary
from roco.attacks.settings import RobustnessConfig
from roco.attacks.white_box import BIM, CW, FGSM, PGD, DeepFool
from roco.attacks.white_box.attack import Attack
from roco.attacks.white_box.judge import attack_white_box, summary
from roco.data.dataset import Split
from roco.errors import AttackError

CPU = torch.device("cpu")


def linf_attacks(eps: float) -> list[FGSM | BIM | PGD]:
    return [
        FGSM(method="fgsm", eps=eps),
        BIM(method="bim", eps=eps, alpha=eps / 4, steps=10),
        PGD(method="pgd", eps=eps, alpha=eps / 4, steps=12, restarts=2),
    ]


def tensors(split: Split) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(split.images), torch.from_numpy(split.labels)


def boundaries(network: nn.Module, images: Tensor, labels: Tensor, order: int) -> Tensor:
    """Closed form for two classes: how far it is to the plane where the wrong one leads by DECIDED (dual norm)."""
    weight = network.weight.detach()
    length = (weight[1] - weight[0]).norm(p=order)
    return (DECIDED - margins_of(network, images, labels=labels, batch_size=64)) / length


def settings_of(attack: Any, network: nn.Module, images: Tensor, labels: Tensor) -> AttackSummary:
    outcome = attack_white_box(network, images, labels=labels, attack=attack, seed=0, batch_size=7)
    return summary(attack, outcome)


@pytest.mark.parametrize("number", range(3), ids=["fgsm", "bim", "pgd"])
def test_linf_attacks_succeed_exactly_beyond_the_boundary(make_linear, make_split, number: int) -> None:
    network = make_linear()
    images, labels = tensors(make_split(network, 20, spread=30))
    needed = boundaries(network, images, labels, order=1)
    # Halfway between two images' boundaries, so that rounding decides nothing.
    eps = needed.sort().values[9:11].mean().item() * 255
    result = settings_of(linf_attacks(eps)[number], network, images, labels)
    expected = needed > eps / 255
    assert result.robust_images == "".join("1" if robust else "0" for robust in expected.tolist())
    assert result.correct == 10
    assert result.accuracy == 0.5
    assert result.failures == 0
    # Half of them are infinitely far.
    assert result.median_linf is None
    assert result.median_l2 is None
    all_but_one = linf_attacks(needed.sort().values[-2:].mean().item() * 255)[number]
    result = settings_of(all_but_one, network, images, labels)
    eps = all_but_one.eps
    assert result.correct == 1
    # Images leave at the first step that fools the network.
    assert 0 < result.median_linf <= eps / 255 * (1 + 1e-3)
    assert 0 < result.median_l2 <= eps / 255 * 192**0.5 * (1 + 1e-3)
    assert result.settings["eps"] == eps
    assert "method" not in result.settings


def test_deepfool_finds_the_smallest_perturbation(make_linear, make_split) -> None:
    network = make_linear()
    images, labels = tensors(make_split(network, 21, spread=30))
    result = settings_of(DeepFool(method="deepfool", steps=10, overshoot=0.02), network, images, labels)
    expected = boundaries(network, images, labels, order=2).median().item() * 1.02
    assert result.correct == 0
    assert result.median_l2 == pytest.approx(expected, rel=1e-3)


def test_attacks_without_a_budget_do_not_depend_on_the_batch(convolutional, make_split) -> None:
    images, labels = tensors(make_split(convolutional, 24))
    attacks = (DeepFool(method="deepfool", steps=30), CW(method="cw", c=3.0, steps=60, learning_rate=0.02))
    for attack in attacks:
        found = [
            attack_white_box(convolutional, images, labels=labels, attack=attack, seed=0, batch_size=size)
            for size in (1, 5, 24)
        ]
        assert found[0].robust.sum() <= 1
        for other in found[1:]:
            np.testing.assert_allclose(other.l2, found[0].l2, rtol=1e-2)


@pytest.mark.parametrize("offset", [0.0, -100.0])
def test_cw_comes_close_to_it_also_when_all_logits_are_negative(make_linear, make_split, offset: float) -> None:
    network = make_linear(offset=offset)
    images, labels = tensors(make_split(network, 21, spread=30))
    with torch.no_grad():
        assert (network(images.float() / 255) < 0).all().item() is (offset < 0)
    attack = CW(method="cw", c=0.03, kappa=0.0, steps=300, learning_rate=0.003)
    result = settings_of(attack, network, images, labels)
    expected = boundaries(network, images, labels, order=2).median().item()
    assert result.correct == 0
    assert expected * 0.999 <= result.median_l2 <= 1.05 * expected


def test_images_that_are_wrong_from_the_start_are_not_robust(make_linear, make_split) -> None:
    network = make_linear()
    images, labels = tensors(make_split(network, 6))
    labels[[1, 4]] = 1 - labels[[1, 4]]
    result = settings_of(FGSM(method="fgsm", eps=1e-6), network, images, labels)
    assert result.robust_images == "101101"
    assert result.correct == 4
    assert result.median_l2 is None
    assert result.median_linf is None


@pytest.mark.parametrize("fault", ["nan", "too far"])
def test_outputs_that_break_the_rules_do_not_count(make_linear, make_split, monkeypatch, fault: str) -> None:
    network = make_linear()
    images, labels = tensors(make_split(network, 4))

    def faulty(self: Attack, batch: Batch) -> Tensor:
        return batch.images * torch.nan if fault == "nan" else 1 - batch.images

    monkeypatch.setattr(PGD, "perturb", faulty)
    result = settings_of(PGD(method="pgd", eps=2.0, alpha=1.0, steps=1, restarts=3), network, images, labels)
    assert result.accuracy == 1.0
    assert result.failures == 12


def test_what_lies_on_the_boundary_does_not_count(make_linear, make_split, monkeypatch) -> None:
    network = make_linear()
    # Grey, so that nothing is clipped.
    grey, labels = tensors(make_split(network, 4, spread=20))
    normal = (network.weight[1] - network.weight[0]).detach()

    def led_by(margin: float) -> Any:
        def run(self: Attack, batch: Batch) -> Tensor:
            with torch.no_grad():
                logits = batch.network(batch.images)
            wanted = torch.where(batch.labels == 0, margin, -margin) - (logits[:, 1] - logits[:, 0])
            return batch.images + (wanted / normal.square().sum())[:, None, None, None] * normal.view(1, 3, 8, 8)

        return run

    for margin, right in ((0.5 * DECIDED, 4), (2 * DECIDED, 0)):
        monkeypatch.setattr(DeepFool, "perturb", led_by(margin))
        result = settings_of(DeepFool(method="deepfool"), network, grey, labels)
        assert result.correct == right


def test_an_attack_does_not_grade_itself(make_linear, make_split, monkeypatch) -> None:
    network = make_linear()
    images, labels = tensors(make_split(network, 4))
    monkeypatch.setattr(DeepFool, "perturb", lambda self, batch: batch.images)
    result = settings_of(DeepFool(method="deepfool"), network, images, labels)
    assert result.accuracy == 1.0


def test_restarts_only_help_the_attacker_and_count_per_image(convolutional, make_split) -> None:
    images, labels = tensors(make_split(convolutional, 60))
    robust = []
    for restarts in (1, 6):
        attack = PGD(method="pgd", eps=30.0, alpha=3.0, steps=1, restarts=restarts)
        result = settings_of(attack, convolutional, images, labels)
        robust.append(np.array(list(result.robust_images)) == "1")
    assert not (robust[1] & ~robust[0]).any()
    assert robust[1].sum() < robust[0].sum()


def test_a_network_that_gives_nan_is_wrong(make_split) -> None:
    class Broken(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images.mean(dim=(1, 2, 3))[:, None] * torch.tensor([[1.0, torch.nan]])

    images = torch.zeros((3, 3, 8, 8), dtype=torch.uint8)
    result = settings_of(FGSM(method="fgsm", eps=1.0), Broken(), images, torch.ones(3, dtype=torch.int64))
    assert result.robust_images == "000"


def test_the_same_images_for_every_network(make_linear, make_split) -> None:
    attacks = {"strong": FGSM(method="fgsm", eps=200.0), "weak": FGSM(method="fgsm", eps=1e-6)}
    config = RobustnessConfig(images=12, attacks=attacks, seed=3)
    networks = [make_linear(seed=seed) for seed in (0, 1)]
    split = make_split(networks[0], 40)
    first = evaluate_robustness(networks[0], split, config=config, device=CPU)
    assert first.images == 12
    assert first.clean_accuracy == 1.0
    assert list(first.attacks) == ["strong", "weak"]
    assert first.attacks["strong"].accuracy == 0.0
    assert first.attacks["weak"].robust_images == "1" * 12
    assert evaluate_robustness(networks[0], split, config=config, device=CPU) == first
    second = evaluate_robustness(networks[1], split, config=config, device=CPU)
    with torch.no_grad():
        predictions = networks[1](torch.from_numpy(split.images).float() / 255).argmax(dim=1)
    right = (predictions.numpy() == split.labels).astype(int)
    assert second.attacks["weak"].correct == round(12 * second.clean_accuracy) < right.sum()
    everything = evaluate_robustness(networks[1], split, config=config.model_copy(update={"images": 99}), device=CPU)
    assert everything.images == 40
    assert everything.attacks["weak"].robust_images == "".join(map(str, right))


def test_a_failing_network_is_one_error(make_split) -> None:
    class Failing(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images.detach().flatten(1)[:, :3]

    images = torch.full((2, 3, 8, 8), 9, dtype=torch.uint8)
    with pytest.raises(AttackError, match="fgsm: the attack failed"):
        settings_of(FGSM(method="fgsm", eps=1.0), Failing(), images, torch.zeros(2, dtype=torch.int64))
