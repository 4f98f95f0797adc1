from collections.abc import Callable

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor, nn

from roco.attacks.batches import Batch, run_in_batches
from roco.attacks.linf import MomentumIterative
from roco.attacks.norms import DECIDED
from roco.attacks.white_box import WhiteBoxAttack
from roco.errors import AttackError

SETTINGS = {
    "fgsm": {"eps": 12.0},
    "bim": {"eps": 12.0, "alpha": 5.0, "steps": 3},
    "pgd": {"eps": 12.0, "alpha": 5.0, "steps": 3},
    "apgd_ce": {"eps": 12.0, "steps": 4},
    "apgd_t": {"eps": 12.0, "steps": 4, "targets": 2},
    "fab": {"norm": "l2", "steps": 2, "targets": 2, "restarts": 2},
    "fab_t": {"eps": 76.0, "steps": 3, "targets": 2},
    "square": {"eps": 76.0, "queries": 10},
    "deepfool": {"steps": 5, "overshoot": 0.02},
    "cw": {"c": 5.0, "kappa": 0.0, "steps": 10, "learning_rate": 0.02},
    "cw_search": {"c": 5.0, "searches": 2, "steps": 10, "patience": 5, "learning_rate": 0.02},
}
METHODS = ["mifgsm", *SETTINGS]
every = pytest.mark.parametrize("method", METHODS)


def perturb_of(method: str, **settings: object) -> Callable[[Batch], Tensor]:
    if method == "mifgsm":
        attack = MomentumIterative(steps=3)
        return lambda batch: attack.perturb(batch, eps=0.05, alpha=0.02)
    return TypeAdapter(WhiteBoxAttack).validate_python({"method": method, **(settings or SETTINGS[method])}).perturb


@pytest.fixture
def images() -> Tensor:
    return torch.rand((5, 3, 8, 8), generator=torch.Generator().manual_seed(0))


def run(network: nn.Module, images: Tensor, method: str, **changes: object) -> Tensor:
    with torch.no_grad():
        labels = network(images).argmax(dim=1)
    perturb = perturb_of(method, **changes.pop("settings", {}))
    return run_in_batches(
        perturb, network, images, method=method, **{"seed": 0, "batch_size": 2, "labels": labels} | changes
    )


@every
def test_channels_last_images_and_networks_give_the_same(convolutional, images, method: str) -> None:
    plain = run(convolutional, images, method)
    assert plain.shape == images.shape
    assert not torch.equal(plain, images)
    network = convolutional.to(memory_format=torch.channels_last)
    other = run(network, images.to(memory_format=torch.channels_last), method)
    assert other.is_contiguous()
    torch.testing.assert_close(other, plain, rtol=0, atol=1e-4)


@every
def test_a_training_network_is_attacked_in_evaluation_mode_and_left_as_it_was(convolutional, images, method) -> None:
    labels = convolutional(images).argmax(dim=1)
    expected = run(convolutional, images, method, labels=labels)
    convolutional.train()
    convolutional[1].eval()
    convolutional[0].weight.requires_grad_(False)
    weights = {name: tensor.clone() for name, tensor in convolutional.state_dict().items()}
    found = run(convolutional, images, method, labels=labels)
    assert torch.equal(found, expected)
    assert [module.training for module in convolutional] == [True, False, *[True] * 7]
    assert [parameter.requires_grad for parameter in convolutional.parameters()] == [False, *[True] * 7]
    assert all(parameter.grad is None for parameter in convolutional.parameters())
    assert all(torch.equal(weights[name], tensor) for name, tensor in convolutional.state_dict().items())


@pytest.mark.parametrize("method", ["pgd", "apgd_ce", "apgd_t", "square"])
def test_the_seed_decides_and_global_numbers_are_left_alone(convolutional, images, method: str) -> None:
    torch.manual_seed(5)
    np.random.seed(5)
    expected = torch.rand(()).item(), np.random.rand()
    torch.manual_seed(5)
    np.random.seed(5)
    first = run(convolutional, images, method)
    assert (torch.rand(()).item(), np.random.rand()) == expected
    assert torch.equal(run(convolutional, images, method), first)
    assert not torch.equal(run(convolutional, images, method, seed=1), first)


@pytest.mark.parametrize("method", ["deepfool", "cw", "cw_search", "bim"])
def test_a_result_does_not_depend_on_its_batch(convolutional, images, method: str) -> None:
    together = run(convolutional, images, method, batch_size=5)
    alone = torch.cat([run(convolutional, image[None], method) for image in images])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-4)


def published_deepfool(network: nn.Module, image: Tensor, label: int, *, steps: int, overshoot: float) -> Tensor:
    """Algorithm 2 of Moosavi-Dezfooli et al. 2016 on one image; the boundary is where a class leads by DECIDED."""
    place, result = image, image
    for _ in range(steps):
        logits = network(result[None])[0].detach()
        if max(float(logits[k] - logits[label]) for k in range(len(logits)) if k != label) >= DECIDED:
            break
        logits = network(place[None])[0].detach()
        jacobian = torch.autograd.functional.jacobian(lambda values: network(values[None])[0], place)
        steps_to = []
        for k in range(len(logits)):
            if k != label:
                normal, gap = jacobian[k] - jacobian[label], DECIDED + logits[label] - logits[k]
                steps_to.append((float(gap.abs() / normal.norm()), gap / normal.norm() ** 2 * normal))
        place = (place + min(steps_to, key=lambda step: step[0])[1]).clamp(0, 1)
        result = (image + (1 + overshoot) * (place - image)).clamp(0, 1)
    return result


def test_deepfool_is_the_published_one_image_by_image(convolutional, images) -> None:
    found = run(convolutional, images, "deepfool", settings={"steps": 20, "overshoot": 0.02})
    labels = convolutional(images).argmax(dim=1)
    assert (convolutional(found).argmax(dim=1) != labels).all()
    convolutional.double()
    for image, label, mine in zip(images.double(), labels.tolist(), found.double(), strict=True):
        expected = published_deepfool(convolutional, image, label, steps=20, overshoot=0.02)
        torch.testing.assert_close(mine, expected, rtol=0, atol=1e-5)


def test_deepfool_leaves_images_without_a_gradient(images) -> None:
    class Constant(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            mean = images.mean(dim=(1, 2, 3)) * 0
            return torch.stack([mean + 1, mean], dim=1)

    assert torch.equal(run(Constant(), images, "deepfool"), images)


def test_cw_moves_black_and_white_pixels(make_linear) -> None:
    network = make_linear()
    images = torch.tensor([0.0, 1.0]).repeat(96).view(1, 3, 8, 8)
    found = run(network, images, "cw", settings={"c": 100.0, "steps": 200, "learning_rate": 0.1})
    assert found.isfinite().all()
    assert ((found - images).abs() > 0.01).sum() > 20


def test_a_network_that_fails_is_one_error(convolutional, images) -> None:
    class Picky(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = convolutional

        def forward(self, images: Tensor) -> Tensor:
            if images.requires_grad:
                raise ValueError("no gradients,\nplease")
            return self.inner(images)

    network = Picky().train()
    with pytest.raises(AttackError, match=r"^fgsm: .*ValueError: no gradients, please$"):
        run(network, images, "fgsm")
    assert network.training


@pytest.mark.parametrize("bad", [torch.zeros((2, 3, 8, 8), dtype=torch.uint8), torch.zeros((3, 8, 8))])
def test_other_images_are_refused(convolutional, bad: Tensor) -> None:
    labels = torch.zeros(2, dtype=torch.int64)
    with pytest.raises(AttackError, match="expected float32 images"):
        run_in_batches(perturb_of("fgsm"), convolutional, bad, labels=labels, method="fgsm", seed=0, batch_size=2)
