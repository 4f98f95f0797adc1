import math
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from small_training import PLAIN, Small, Smooth, batch_sizes, data_of, fresh, recipe_of, state_bytes, train
from torch import Tensor, nn
from torch.nn import functional as F

from roco.errors import TrainingFailed
from roco.training.loop import Training
from roco.training.prediction import error_of, logits_of, predict
from roco.training.train_all import Start, train_all

# ---------------------------------------------------------------------------------------------------------------
# Training


def test_training_learns_what_can_be_learnt() -> None:
    images, labels = data_of()
    network = fresh(Small)
    seen: list[tuple[int, float]] = []
    losses = train(
        network, images, labels=labels, recipe=recipe_of(epochs=8), seed=0, on_epoch=lambda *epoch: seen.append(epoch)
    )
    assert losses[-1] < 0.5 * losses[0]
    assert error_of(network, images, labels=labels) == 0
    assert seen == list(enumerate(losses, start=1))
    assert not network.training


def test_the_same_seed_gives_the_same_bytes() -> None:
    images, labels = data_of()
    networks = [fresh(Small) for _ in range(3)]
    losses = [
        train(network, images, labels=labels, recipe=recipe_of(), seed=seed)
        for network, seed in zip(networks, (5, 5, 6), strict=True)
    ]
    assert losses[0] == losses[1] != losses[2]
    assert state_bytes(networks[0]) == state_bytes(networks[1]) != state_bytes(networks[2])


def test_bf16_is_for_the_passes_of_training_only() -> None:
    images, labels = data_of()
    networks = {name: fresh(Small) for name in ("fp32", "bf16", "again")}
    kinds: list[torch.dtype] = []
    networks["bf16"][0].register_forward_hook(lambda _, __, output: kinds.append(output.dtype))
    losses = {
        name: train(network, images, labels=labels, recipe=recipe_of(precision=name.replace("again", "bf16")), seed=0)
        for name, network in networks.items()
    }
    assert set(kinds) == {torch.bfloat16}
    assert losses["bf16"] == losses["again"] != losses["fp32"]
    assert losses["bf16"] == pytest.approx(losses["fp32"], rel=0.05)
    assert state_bytes(networks["bf16"]) == state_bytes(networks["again"])
    assert {tensor.dtype for tensor in networks["bf16"].parameters()} == {torch.float32}
    predict(networks["bf16"], images)
    assert kinds[-1] == torch.float32


@pytest.mark.parametrize("clip", [None, 0.01])
def test_training_is_plain_sgd_with_a_cosine_and_a_clipped_gradient(clip: float | None) -> None:
    images, labels = data_of()
    recipe = recipe_of(**PLAIN, batch_size=32, gradient_clip=clip, momentum=0.8, weight_decay=0.05, epochs=6)
    network, expected = fresh(Smooth), fresh(Smooth)
    losses = train(network, images, labels=labels, recipe=recipe, seed=0)
    parameters = list(expected.parameters())
    velocities = [torch.zeros_like(parameter) for parameter in parameters]
    for step, loss in enumerate(losses):
        error = F.cross_entropy(expected(images / 255), labels)
        gradients = torch.autograd.grad(error, parameters)
        norm = math.sqrt(sum(float(gradient.square().sum()) for gradient in gradients))
        scale = 1.0 if clip is None else min(1.0, clip / norm)
        rate = 0.1 * (1 + math.cos(math.pi * step / 6)) / 2
        with torch.no_grad():
            for parameter, gradient, velocity in zip(parameters, gradients, velocities, strict=True):
                velocity.mul_(0.8).add_(scale * gradient + 0.05 * parameter)
                parameter.sub_(rate * velocity)
        assert loss == pytest.approx(error.item(), rel=1e-4)
        assert clip is None or norm > clip
    for actual, want in zip(network.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(actual, want, rtol=1e-4, atol=1e-6)


class Decaying(nn.Module):
    """Without a gradient weight decay alone moves the weight: by the learning rate, each step."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.history: list[float] = []

    def forward(self, images: Tensor) -> Tensor:
        self.history.append(self.weight.item())
        return torch.zeros(len(images), 2) * self.weight


def test_the_learning_rate_falls_along_a_cosine_step_by_step() -> None:
    images, labels = data_of(20)
    network = Decaying()
    recipe = recipe_of(epochs=3, learning_rate=0.4, momentum=0.0, weight_decay=0.5)
    train(network, images, labels=labels, recipe=recipe, seed=0)
    weights = [*network.history, network.weight.item()]
    rates = [(1 - after / before) / 0.5 for before, after in pairwise(weights)]
    # 3 epochs of 3 batches; the rate after the last step would be 0.
    assert rates == pytest.approx([0.2 * (1 + math.cos(math.pi * step / 9)) for step in range(9)], abs=2e-6)
    assert rates[0] == pytest.approx(0.4)
    assert rates[-1] < 0.02


def test_a_batch_in_pieces_gives_nearly_the_same_step() -> None:
    images, labels = data_of(19)
    recipe = recipe_of(**PLAIN)
    whole, halves = fresh(Smooth), fresh(Smooth)
    sizes = batch_sizes(halves)
    losses = train(whole, images, labels=labels, recipe=recipe, seed=0)
    assert train(halves, images, labels=labels, recipe=recipe, seed=0, pieces=2) == pytest.approx(losses, rel=1e-4)
    # 19 = 8 + 8 + 3, and 3 images are too few to be cut in two.
    assert sizes == [4, 4, 4, 4, 3] * 4
    for actual, want in zip(halves.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(actual, want, rtol=1e-4, atol=1e-5)


def test_a_last_batch_of_one_image_is_left_out_and_not_counted() -> None:
    images, labels = data_of(17)
    network = fresh(Small)
    nn.init.zeros_(network[5].weight)
    nn.init.zeros_(network[5].bias)
    sizes = batch_sizes(network)
    losses = train(network, images, labels=labels, recipe=recipe_of(epochs=2, learning_rate=1e-9), seed=0)
    assert sizes == [8, 8] * 2
    assert losses == pytest.approx([math.log(2)] * 2, rel=1e-5)


@pytest.mark.parametrize("weights", [math.nan, None])
def test_a_loss_that_is_no_number_ends_the_training_after_its_epoch(weights: float | None) -> None:
    images, labels = data_of()
    network = fresh(Small)
    sizes = batch_sizes(network)
    if weights is not None:
        nn.init.constant_(network[5].weight, weights)
    recipe = recipe_of(learning_rate=1e36, gradient_clip=None)
    with pytest.raises(TrainingFailed, match=r"the training loss of epoch 1 is (nan|inf)"):
        train(network, images, labels=labels, recipe=recipe, seed=0)
    assert sizes == [8, 8, 4]


# ---------------------------------------------------------------------------------------------------------------
# Memory


class Starved:
    """Makes networks whose first `failures` trainings run out of memory in their third forward pass."""

    def __init__(self, failures: int, error: Exception) -> None:
        self.failures, self.error, self.sizes = failures, error, list[list[int]]()

    def __call__(self) -> nn.Module:
        network = fresh(Small)
        self.sizes.append(batch_sizes(network))
        if len(self.sizes) <= self.failures:
            network.register_forward_pre_hook(self._fail)
        return network

    def _fail(self, *_: object) -> None:
        if len(self.sizes[-1]) == 3:
            raise self.error


def all_trained(make: Callable[[], nn.Module]) -> list[Training]:
    images, labels = data_of()
    ended = train_all([Start("key", make, 0)], images, labels=labels, recipe=recipe_of())
    return [training for part in ended for _, training in part]


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate"),
    ],
)
def test_out_of_memory_once_means_batches_in_halves(error: Exception) -> None:
    images, labels = data_of()
    starved = Starved(1, error)
    [training] = all_trained(starved)
    assert starved.sizes[0] == [8, 8, 4]
    assert starved.sizes[1] == [4, 4, 4, 4, 2, 2] * 4
    expected = fresh(Small)
    assert train(expected, images, labels=labels, recipe=recipe_of(), seed=0, pieces=2) == training.losses
    assert state_bytes(training.network) == state_bytes(expected)


def test_out_of_memory_twice_is_a_failed_training_and_other_errors_are_none() -> None:
    starved = Starved(2, torch.OutOfMemoryError("CUDA out of memory"))
    [training] = all_trained(starved)
    assert training.failure == "out of memory, also with batches of 4"
    assert len(starved.sizes) == 2
    broken = Starved(2, RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        all_trained(broken)
    assert len(broken.sizes) == 1


# ---------------------------------------------------------------------------------------------------------------
# Prediction


def test_predictions_are_those_of_unit_images_in_evaluation_mode() -> None:
    images, labels = data_of()
    network = fresh(Small)
    train(network, images, labels=labels, recipe=recipe_of(epochs=1), seed=0)
    with torch.no_grad():
        expected = network.eval()(images.double().float() / 255)
    network.train()
    before = state_bytes(network)
    actual = logits_of(network, images, batch_size=7)
    torch.testing.assert_close(actual, expected)
    assert not actual.requires_grad
    assert state_bytes(network) == before
    assert torch.equal(predict(network, images, batch_size=3), expected.argmax(dim=1))
    wrong = labels.clone()
    wrong[:3] = 1 - expected.argmax(dim=1)[:3]
    wrong[3:] = expected.argmax(dim=1)[3:]
    assert error_of(network, images, labels=wrong) == 3 / 20
    assert predict(network, images[:0]).shape == (0,)
