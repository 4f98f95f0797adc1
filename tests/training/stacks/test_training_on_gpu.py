"""Stacks on a GPU: kernels, replayed steps, memory; skipped where there is no GPU."""

import copy
import math
from collections.abc import Sequence

import pytest
import torch
from genome_networks import networks_of, random_genomes
from small_training import Small, data_of, fresh, recipe_of
from torch import nn

from roco.runtime import start_torch
from roco.settings import Recipe
from roco.space.complexity import NodeKind
from roco.space.genome import Genome
from roco.training.adversarial import AdversarialRecipe
from roco.training.loop import Training, train_together
from roco.training.stacks import fused
from roco.training.stacks.stack import Stack
from roco.training.steps import WARM_UP, Trainee
from roco.training.train_all import Start, train_all

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

# Enough for the fourth small batch, which is the first that is captured.
EPOCHS = WARM_UP + 3


@pytest.fixture(autouse=True)
def as_in_a_job() -> None:
    start_torch("cuda")


def on_gpu(
    genomes: Sequence[Genome], node: NodeKind = "residual", dtype: torch.dtype = torch.float32
) -> list[nn.Module]:
    networks = networks_of(genomes, channels=16, node=node)
    return [network.to("cuda", dtype).to(memory_format=torch.channels_last) for network in networks]  # type: ignore[call-overload]


def trained(networks: Sequence[nn.Module], recipe: Recipe, *, capture: bool, n: int = 20) -> list[Training]:
    images, labels = (tensor.to("cuda") for tensor in data_of(n))
    trainings = [Training(network, 5) for network in networks]
    train_together(trainings, images, labels=labels, recipe=recipe, capture=capture)
    return trainings


def assert_alike(actual: Training, expected: Training, tolerance: float) -> None:
    assert actual.failure is None
    assert actual.losses == pytest.approx(expected.losses, rel=tolerance)
    for name, tensor in actual.network.state_dict().items():
        want = expected.network.state_dict()[name]
        torch.testing.assert_close(tensor, want, rtol=10 * tolerance, atol=10 * tolerance, msg=name)


@pytest.mark.parametrize("node", ["residual", "preactivation"])
def test_the_kernels_work_here_and_give_what_torch_gives(node: NodeKind, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fused.kernels(torch.device("cuda")) is not None
    images = torch.rand(16, 3, 30, 30, device="cuda")
    stack = Stack(on_gpu(random_genomes(5, active=3), node))  # type: ignore[arg-type]
    passes = []
    for on in (True, False):
        if not on:
            monkeypatch.setattr(fused, "kernels", lambda device: None)
        again = copy.deepcopy(stack).train()
        again(images).square().sum().backward()
        passes.append([again.weights.grad, *(buffer for buffer in again.buffers() if buffer.is_floating_point())])
    for actual, expected in zip(*passes, strict=True):
        scale = expected.abs().max()
        torch.testing.assert_close(actual / scale, expected / scale, rtol=0, atol=2e-4)


# Last batches of 4, of 1 (left out), and none.
@pytest.mark.parametrize("n", [20, 17, 16])
@pytest.mark.parametrize("changes", [{}, {"gradient_clip": None}, {"momentum": 0.0}, {"precision": "bf16"}])
def test_replayed_steps_are_the_plain_ones_and_a_stacks_are_each_networks(n: int, changes: dict[str, object]) -> None:
    recipe = recipe_of(epochs=EPOCHS, learning_rate=0.002, **changes)
    tolerance = 0.05 if recipe.precision == "bf16" else 2e-3
    genomes = random_genomes(3, active=2, nodes=4)
    plain = [trained([network], recipe, capture=False, n=n)[0] for network in on_gpu(genomes)]
    for actual, expected in zip(trained(on_gpu(genomes), recipe, capture=True, n=n), plain, strict=True):
        assert_alike(actual, expected, tolerance)


@pytest.mark.parametrize("adversarial", [{"method": "pgd", "steps": 3}, {"method": "trades", "steps": 2}])
def test_replayed_steps_of_adversarial_training_are_the_plain_ones(adversarial: dict[str, object]) -> None:
    plain_recipe = recipe_of(epochs=EPOCHS, learning_rate=0.002).model_dump()
    recipe = AdversarialRecipe.model_validate(plain_recipe | {"adversarial": adversarial})
    genomes = random_genomes(3, active=2, nodes=4)
    plain = trained(on_gpu(genomes), recipe, capture=False)
    for actual, expected in zip(trained(on_gpu(genomes), recipe, capture=True), plain, strict=True):
        assert_alike(actual, expected, 1e-6)


def test_graphs_are_captured_and_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    captured, replayed = list[int](), list[object]()
    capture, replay = Trainee._capture, torch.cuda.CUDAGraph.replay

    def noted(self: Trainee, size: int) -> None:
        captured.append(size)
        capture(self, size)

    def counted(self: torch.cuda.CUDAGraph) -> None:
        replayed.append(self)
        replay(self)

    monkeypatch.setattr(Trainee, "_capture", noted)
    monkeypatch.setattr(torch.cuda.CUDAGraph, "replay", counted)
    trained(on_gpu(random_genomes(3, active=2, nodes=4)), recipe_of(epochs=EPOCHS), capture=True)
    assert captured == [8, 4]
    assert len(replayed) == 2 * EPOCHS - WARM_UP + EPOCHS - WARM_UP


def test_a_network_without_a_loss_leaves_its_neighbours_alone() -> None:
    recipe, genomes = recipe_of(epochs=EPOCHS, learning_rate=0.002), random_genomes(3, active=2, nodes=4)
    sound = trained(on_gpu(genomes), recipe, capture=True)
    networks = on_gpu(genomes)
    nn.init.constant_(networks[1].classify.weight, math.nan)  # type: ignore[arg-type,union-attr]
    first, bad, last = trained(networks, recipe, capture=True)
    assert bad.failure == "the training loss of epoch 1 is nan"
    for actual, expected in ((first, sound[0]), (last, sound[2])):
        assert_alike(actual, expected, 1e-4)


def test_a_target_is_captured_too() -> None:
    recipe = recipe_of(epochs=EPOCHS, learning_rate=0.002)

    def target() -> nn.Module:
        return fresh(Small).to("cuda", memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    [plain], [replayed] = trained([target()], recipe, capture=False), trained([target()], recipe, capture=True)
    assert_alike(replayed, plain, 1e-3)


@pytest.mark.parametrize("step", [2, WARM_UP + 1])
def test_memory_that_runs_out_in_a_step_or_a_capture_halves_the_stack(
    step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, genomes = recipe_of(epochs=EPOCHS, learning_rate=0.002), random_genomes(4, active=2, nodes=4)
    expected = trained(on_gpu(genomes), recipe, capture=False)
    forward, passes = Stack.forward, list[int]()

    def hungry(self: Stack, images: torch.Tensor) -> torch.Tensor:
        passes.append(len(self))
        if len(self) == 4 and len(passes) >= step:
            torch.empty(2**46, device=images.device)
        return forward(self, images)

    monkeypatch.setattr(Stack, "forward", hungry)
    images, labels = (tensor.to("cuda") for tensor in data_of())
    starts = [Start(str(row), lambda row=row: on_gpu(genomes)[row], 5, "alike") for row in range(4)]  # type: ignore[misc]
    actual = dict(
        pair for part in train_all(starts, images, labels=labels, recipe=recipe, largest_stack=4) for pair in part
    )
    assert {4, 2} == set(passes)
    for row, training in enumerate(expected):
        assert_alike(actual[row], training, 2e-3)


def test_memory_is_given_back() -> None:
    recipe, genomes = recipe_of(epochs=EPOCHS), random_genomes(4, active=2, nodes=4)
    trained(on_gpu(genomes), recipe, capture=True)
    torch.cuda.empty_cache()
    before = torch.cuda.memory_reserved()
    for _ in range(3):
        trained(on_gpu(genomes), recipe, capture=True)
    torch.cuda.empty_cache()
    assert torch.cuda.memory_reserved() <= before + 2**22
