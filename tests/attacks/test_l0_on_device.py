"""What a CPU can show of the L0 attacks on a GPU: numbers from a counter, and a host that rarely waits."""

import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from roco.attacks.l0 import DifferentialEvolution, Greedy, L0Attack, RandomSearch, SparseGradient, attack_l0
from roco.attacks.l0.counter import below, bits, keys_of
from roco.attacks.l0.random_search import blocks, resampled


def test_the_counter_gives_the_published_numbers() -> None:
    # SplitMix64 of seed 1234567 as Rosetta Code gives it, and the same in Python's whole numbers.
    published = [
        6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821
    ]  # fmt: skip
    drawn = bits(torch.tensor([3, 1234567]), range(2), draws=5)
    assert [number % 2**64 for number in drawn[0, 1].tolist()] == published
    value = (3 + (2**32 + 2) * 0x9E3779B97F4A7C15) % 2**64
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB % 2**64
    assert drawn[1, 0, 1].item() % 2**64 == value ^ (value >> 31)
    # Floor of a share of the range of 32 bits: 6457827717110365317 is 0.350078 of 2**64.
    assert below(drawn[0, 1, :1], 1000).item() == 350


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_draws_the_same_numbers() -> None:
    keys = keys_of("devices", rows=range(64))
    assert torch.equal(bits(keys.cuda(), range(9), draws=33).cpu(), bits(keys, range(9), draws=33))


def test_numbers_are_uniform_and_unrelated() -> None:
    drawn = below(bits(keys_of("uniform", rows=range(64)), range(50), draws=20), 16)
    expected = drawn.numel() / 16
    # 15 degrees of freedom: above 37.7 once in a thousand.
    assert ((drawn.flatten().bincount(minlength=16) - expected) ** 2 / expected).sum() < 37.7
    for first, second in ((drawn[1:], drawn[:-1]), (drawn[:, 1:], drawn[:, :-1]), (drawn[..., 1:], drawn[..., :-1])):
        pair = torch.stack([first.flatten(), second.flatten()]).double()
        assert abs(torch.corrcoef(pair)[0, 1]) < 4 / math.sqrt(pair.shape[1])


@pytest.mark.parametrize("k", [1, 100])
def test_the_host_looks_ever_less_often_and_every_query_is_made(k: int) -> None:
    parts = list(blocks(10_000, k))
    assert [query for part, _ in parts for query in part] == list(range(1, 10_000))
    assert all(resampled(query / 10_000, k) == drawn for part, drawn in parts for query in part)
    assert len(parts) < 260


class Waits(TorchDispatchMode):
    """Counts the operations at which a host waits for its GPU: values and numbers of elements that it asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        name = function.name()
        indices = args[1] if name.startswith(("aten::index", "aten::_index")) and isinstance(args[1], list) else ()
        by_mask = any(index is not None and index.dtype == torch.bool for index in indices)
        asks = ("aten::nonzero", "aten::_local_scalar_dense", "aten::masked_select", "aten::equal", "aten::unique")
        self.count += by_mask or name.startswith(asks)
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    ("settings", "waits"),
    [
        # A look before each block of queries; at the end what is left is written back.
        (RandomSearch(queries=1001, margin=1e6, greedy_candidates=0), len(list(blocks(1001, 3))) + 2),
        (SparseGradient(steps=99, margin=1e6), 100 // 5 + 2),
        # A look before each generation.
        (DifferentialEvolution(population=8, steps=30), 30),
        # Three for each pixel: whose turn it is, for whom it is the last, who is left after the candidates.
        (Greedy(candidates=20, margin=1e6), 9),
        (Greedy(margin=1e6, exhaustive=True), 0),
    ],
    ids=lambda value: getattr(value, "method", str(value)),
)
def test_the_host_waits_for_no_single_query(make_linear, make_split, settings: L0Attack, waits: int) -> None:
    # So far from every boundary that no image is ever done.
    network = make_linear(classes=3)
    split = make_split(network, 6)
    with torch.no_grad():
        network.weight *= 1e-3
    images, labels = torch.from_numpy(split.images), torch.from_numpy(split.labels)
    k = 1 if getattr(settings, "exhaustive", False) else 3
    with Waits() as counted:
        attack_l0(network, images, labels=labels, n_pixels=k, settings=settings, keys=keys_of(0, rows=range(6)))
    assert counted.count == waits
