"""Images leave an attack that follows the gradient when they are fooled, and nothing else changes."""

import pytest
import torch
from torch import nn

from roco.attacks.batches import Batch, torchattack
from roco.attacks.norms import DECIDED, margins
from roco.attacks.settings import ChecksConfig
from roco.attacks.white_box import torchattacks_variants as variants
from roco.training.batches import to_unit

EPS = 16 / 255
ATTACKS = {
    "BIM": (variants.StepwiseBIM, {"eps": EPS, "alpha": EPS / 4, "steps": 20}),
    "PGD": (variants.StepwisePGD, {"eps": EPS, "alpha": EPS / 4, "steps": 20}),
    "APGD": (variants.StepwiseAPGD, {"eps": EPS, "steps": 20}),
    "APGDT": (variants.TargetedAPGD, {"eps": EPS, "steps": 20, "n_classes": 4}),
}


@pytest.fixture
def batch(convolutional, make_split) -> Batch:
    for parameter in convolutional.parameters():
        parameter.requires_grad_(False)
    split = make_split(convolutional, 40, seed=1)
    return Batch(convolutional, to_unit(torch.from_numpy(split.images)), torch.from_numpy(split.labels), seed=5)


def fooled(batch: Batch, perturbed: torch.Tensor) -> torch.Tensor:
    assert ((perturbed - batch.images).abs() <= EPS + 1e-6).all()
    return margins(batch.network(perturbed), batch.labels) >= DECIDED - 1e-5


def passing(network: nn.Module) -> list[int]:
    counts: list[int] = []
    network.register_forward_hook(lambda module, inputs, output: counts.append(len(inputs[0])))
    return counts


@pytest.mark.parametrize("name", ATTACKS)
def test_images_leave_when_they_are_fooled_and_the_others_are_attacked_as_before(
    batch: Batch, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    kind, settings = ATTACKS[name]
    counts = passing(batch.network)
    torch.manual_seed(0)
    plain = torchattack(batch, name, **settings)
    before = sum(counts)
    counts.clear()
    torch.manual_seed(0)
    found = torchattack(batch, kind, **settings)
    assert sum(counts) < (0.9 if name == "APGDT" else 0.7) * before
    assert 5 < fooled(batch, plain).sum() < 39
    # Also what was fooled on the way and no longer at the end.
    assert (fooled(batch, found) | ~fooled(batch, plain)).all()
    if name != "APGDT":
        # Its later targets are for fewer images, and so from other random starts.
        held = ~fooled(batch, found)
        torch.testing.assert_close(found[held], plain[held])
    monkeypatch.setattr(variants, "LOOK", 1)
    torch.manual_seed(0)
    torch.testing.assert_close(torchattack(batch, kind, **settings), found)


def test_the_check_of_steps_compares_the_last_ones(batch: Batch) -> None:
    counts = passing(batch.network)
    for name, attack in ChecksConfig(eps=EPS * 255, steps=8).attacks().items():
        if name in ("few_steps", "many_steps"):
            counts.clear()
            attack.perturb(batch)
            assert counts == [40] * attack.steps
