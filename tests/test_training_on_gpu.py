"""Steps that a GPU replays from CUDA graphs; skipped where there is no GPU."""

import math
from collections.abc import Callable, Sequence

import pytest
import torch
from small_training import Small, data_of, fresh, recipe_of
from torch import Tensor, nn

from roco.config import Recipe
from roco.runtime import start_torch
from roco.space.genome import Genome
from roco.space.network import build_network
from roco.steps import WARM_UP, Trainee
from roco.training import Start, Training, train_together, train_within_memory

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

# Enough for the fourth small batch, which is the first that is captured.
EPOCHS = WARM_UP + 3


@pytest.fixture(autouse=True)
def as_in_a_job() -> None:
    start_torch("cuda")


def genome_network() -> nn.Module:
    phenotype = Genome.parse("1011-0110").phenotype
    return build_network(phenotype, channels=4, classes=2, stem_padding=1, mean=[0.5] * 3, std=[0.25] * 3)


MAKERS: tuple[Callable[[], nn.Module], ...] = (Small, lambda: Small(channels=7), genome_network)


def on_gpu(make: Callable[[], nn.Module]) -> nn.Module:
    return fresh(make).to("cuda", memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def trained(makers: Sequence[Callable[[], nn.Module]], recipe: Recipe, *, capture: bool, n: int = 20) -> list[Training]:
    images, labels = (tensor.to("cuda") for tensor in data_of(n))
    trainings = [Training(on_gpu(make)) for make in makers]
    train_together(trainings, images, labels=labels, recipe=recipe, seed=5, capture=capture)
    return trainings


def assert_alike(found: Training, expected: Training, tolerance: float) -> None:
    assert found.failure is None
    assert found.losses == pytest.approx(expected.losses, rel=tolerance)
    for name, tensor in found.network.state_dict().items():
        want = expected.network.state_dict()[name]
        torch.testing.assert_close(tensor, want, rtol=10 * tolerance, atol=10 * tolerance, msg=name)


# Last batches of 4, of 1 (left out), and none.
@pytest.mark.parametrize("n", [20, 17, 16])
@pytest.mark.parametrize("changes", [{}, {"gradient_clip": None}, {"momentum": 0.0}, {"precision": "bf16"}])
def test_replayed_steps_are_the_plain_ones_alone_and_side_by_side(n: int, changes: dict[str, object]) -> None:
    recipe = recipe_of(epochs=EPOCHS, learning_rate=0.02, **changes)
    tolerance = 0.02 if recipe.precision == "bf16" else 1e-3
    plain = [trained([make], recipe, capture=False, n=n)[0] for make in MAKERS]
    for make, expected in zip(MAKERS, plain, strict=True):
        assert_alike(trained([make], recipe, capture=True, n=n)[0], expected, tolerance)
    for found, expected in zip(trained(MAKERS, recipe, capture=True, n=n), plain, strict=True):
        assert_alike(found, expected, tolerance)


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
    trained([Small], recipe_of(epochs=EPOCHS), capture=True)
    assert captured == [8, 4]
    assert len(replayed) == 2 * EPOCHS - WARM_UP + EPOCHS - WARM_UP


def broken() -> nn.Module:
    network = Small()
    nn.init.constant_(network[5].weight, math.nan)
    return network


def test_a_network_without_a_loss_leaves_its_neighbours_alone() -> None:
    recipe = recipe_of(epochs=EPOCHS, learning_rate=0.02)
    first, bad, last = trained([Small, broken, genome_network], recipe, capture=True)
    assert bad.failure == "the training loss of epoch 1 is nan"
    for make, found in ((Small, first), (genome_network, last)):
        assert_alike(found, trained([make], recipe, capture=False)[0], 1e-3)


class Hungry(Small):
    """Asks for more memory than there is, from its `meals`-th pass on; the fourth is one that is captured."""

    def __init__(self, meals: int) -> None:
        super().__init__()
        self.meals, self.passes = meals, 0

    def forward(self, images: Tensor) -> Tensor:
        self.passes += 1
        if self.passes >= self.meals:
            torch.empty(2**46, device=images.device)
        return super().forward(images)  # type: ignore[no-any-return]


@pytest.mark.parametrize("meals", [2, WARM_UP + 1])
def test_memory_that_runs_out_in_a_step_or_a_capture_leaves_neighbours_alone(meals: int) -> None:
    recipe = recipe_of(epochs=EPOCHS, learning_rate=0.02)
    images, labels = (tensor.to("cuda") for tensor in data_of())
    made: list[nn.Module] = []

    def hungry_once() -> nn.Module:
        made.append(on_gpu(Small) if made else on_gpu(lambda: Hungry(meals)))
        return made[-1]

    starts = [Start(lambda: on_gpu(Small)), Start(hungry_once), Start(lambda: on_gpu(genome_network))]
    found = train_within_memory(starts, images, labels=labels, recipe=recipe, seed=5)
    assert len(made) == 2
    for make, one in zip((Small, Small, genome_network), found, strict=True):
        assert_alike(one, trained([make], recipe, capture=False)[0], 1e-3)


def test_memory_is_given_back() -> None:
    recipe = recipe_of(epochs=EPOCHS)
    trained(MAKERS, recipe, capture=True)
    torch.cuda.empty_cache()
    before = torch.cuda.memory_reserved()
    for _ in range(3):
        trained(MAKERS, recipe, capture=True)
    torch.cuda.empty_cache()
    assert torch.cuda.memory_reserved() <= before + 2**22
