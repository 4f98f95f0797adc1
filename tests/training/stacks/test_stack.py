"""A stack computes for each network what the network computes alone."""

import copy
from collections.abc import Sequence
from itertools import product

import pytest
import torch
from genome_networks import KINDS, networks_of, random_genomes
from torch import Tensor, nn
from torch.nn import functional as F

from roco.networks.decoder import GenomeNetwork
from roco.space.complexity import NodeKind
from roco.space.genome import Genome
from roco.training.stacks.stack import Stack, likeness


def images_of(count: int = 6, *, channels: int = 3) -> Tensor:
    return torch.rand(count, channels, 18, 18, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


LABELS = torch.arange(6) % 3


def gradient_row(stack: Stack, row: int, network: nn.Module) -> list[Tensor]:
    """The gradient of one network's parameters, from the stack's."""
    assert stack.weights.grad is not None
    return [stack.weights.grad[row][stack.layout.columns[parameter]] for parameter in network.parameters()]


def assert_one_pass_is_that_of_each_alone(networks: Sequence[GenomeNetwork], images: Tensor, own: bool) -> None:
    alone = copy.deepcopy(networks)
    stack = Stack(networks).double().train()
    logits = stack(images)
    assert logits.shape == (len(images), len(networks), 3)
    sum(F.cross_entropy(logits[:, row], LABELS) for row in range(len(networks))).backward()  # type: ignore[union-attr]
    stack.write_back()
    for row, (network, stacked) in enumerate(zip(alone, networks, strict=True)):
        expected = network(images[:, 3 * row : 3 * row + 3] if own else images)
        F.cross_entropy(expected, LABELS).backward()
        torch.testing.assert_close(logits[:, row], expected, rtol=0, atol=1e-10)
        parameters = list(network.parameters())
        for gradient, parameter in zip(gradient_row(stack, row, stacked), parameters, strict=True):
            torch.testing.assert_close(gradient, parameter.grad, rtol=0, atol=1e-10)
        # Nothing else of the row has a gradient, so its norm is the network's.
        norm = torch.stack([torch.linalg.vector_norm(parameter.grad) for parameter in parameters]).norm()  # type: ignore[arg-type]
        torch.testing.assert_close(stack.weights.grad[row].norm(), norm, rtol=0, atol=1e-10)  # type: ignore[index]
        for (name, actual), want in zip(stacked.named_buffers(), network.buffers(), strict=True):
            torch.testing.assert_close(actual, want, rtol=0, atol=1e-10, msg=name)


@pytest.mark.parametrize(("node", "active", "count"), [*product(KINDS, (0, 1, 2, 3), (1, 2, 7))])
def test_logits_gradients_and_statistics_are_those_of_the_networks_alone(
    node: NodeKind, active: int, count: int
) -> None:
    networks = [network.double() for network in networks_of(random_genomes(count, active=active), node=node)]
    assert_one_pass_is_that_of_each_alone(networks, images_of(), own=False)


@pytest.mark.parametrize("active", [0, 3])
def test_each_network_may_have_images_of_its_own(active: int) -> None:
    networks = [network.double() for network in networks_of(random_genomes(3, active=active))]
    assert_one_pass_is_that_of_each_alone(networks, images_of(channels=9), own=True)


def test_phases_of_one_width_have_no_convolution_between_them() -> None:
    equal = [
        network.double()
        for network in networks_of(random_genomes(3, active=2), channels=[4, 4, 4])  # type: ignore[arg-type]
    ]
    assert all(isinstance(network.active_phases[1].widen, nn.Identity) for network in equal)
    assert_one_pass_is_that_of_each_alone(equal, images_of(), own=False)


def test_evaluation_uses_the_running_statistics() -> None:
    networks = networks_of(random_genomes(4, active=3))
    for network in networks:
        network(images_of().float())
    stack = Stack(networks).eval()
    with torch.no_grad():
        logits = stack(images_of().float())
        for row, network in enumerate(networks):
            torch.testing.assert_close(logits[:, row], network.eval()(images_of().float()), rtol=1e-4, atol=1e-5)
    assert int(stack.batches) == 0


@pytest.mark.parametrize("node", KINDS)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_in_one_network_reaches_no_other(node: NodeKind, value: float) -> None:
    passes = []
    for broken in (False, True):
        networks = networks_of(random_genomes(5, active=3), node=node)
        if broken:
            for parameter in networks[2].parameters():
                nn.init.constant_(parameter, value)
        stack = Stack(networks)
        logits = stack(images_of().float())
        F.cross_entropy(logits.flatten(0, 1), LABELS.repeat_interleave(5), reduction="none").sum().backward()
        stack.write_back()
        passes.append((logits.detach(), stack.weights.grad, networks))
    (logits, gradient, networks), (other_logits, other_gradient, other_networks) = passes
    assert not other_logits[:, 2].isfinite().all()
    for row in (0, 1, 3, 4):
        assert torch.equal(logits[:, row], other_logits[:, row])
        assert torch.equal(gradient[row], other_gradient[row])  # type: ignore[index]
        for buffer, other in zip(networks[row].buffers(), other_networks[row].buffers(), strict=True):
            assert torch.equal(buffer, other)


def test_networks_that_are_not_alike_are_no_stack() -> None:
    three, two = networks_of(random_genomes(1, active=3)), networks_of(random_genomes(1, active=2))
    assert likeness(three[0]) != likeness(two[0])
    with pytest.raises(ValueError, match="equal likeness"):
        Stack([*three, *two])
    for other in (
        networks_of(random_genomes(1, active=3), channels=5),
        networks_of(random_genomes(1, active=3), node="preactivation"),
        networks_of(random_genomes(1, active=3), node="dense"),
    ):
        assert likeness(other[0]) != likeness(three[0])
    assert likeness(nn.Linear(1, 1)) is None


def test_only_nodes_that_exist_are_computed() -> None:
    # Phases of 2, 3 and 6 nodes: the slots have 3, 3, 2, 1, 1, 1 members, and so many convolutions.
    genomes = [Genome.parse(f"{phase}-{'0' * 16}-{'0' * 16}") for phase in ("1" + "0" * 15, "111" + "0" * 13, "1" * 16)]
    stack = Stack(networks_of(genomes))
    [phase] = stack.phases
    assert [len(norm.norms) for norm in phase.norms] == [3, 3, 2, 1, 1, 1]  # type: ignore[union-attr]
