import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from roco.networks.decoder import GenomeNetwork, convolve_together
from roco.space.complexity import Channels
from roco.space.genome import Genome

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


def network_of(
    text: str, *, channels: Channels = 2, classes: int = 3, stem_padding: int = 0, seed: int = 0, node: str = "residual"
) -> GenomeNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return GenomeNetwork(
            Genome.parse(text).phenotype,
            channels=channels,
            classes=classes,
            stem_padding=stem_padding,
            mean=MEAN,
            std=STD,
            node=node,
        )


def test_preactivation_nodes_end_in_their_convolution() -> None:
    # One phase, 1 -> 2, no residual: stem, two nodes, the phase's end; written out with the network's own parts.
    network = network_of("10", node="preactivation").eval()
    (phase,) = network.phases
    images = images_of()
    maps = phase.widen(network.normalise(images))
    for normalise, _, convolution in phase.nodes:
        maps = convolution(F.relu(normalise(maps)))
    expected = network.classify(phase.finish(maps).mean(dim=(2, 3)))
    torch.testing.assert_close(network(images), expected)
    assert not torch.allclose(network_of("10").eval()(images), expected)


def images_of(n: int = 4, size: int = 12, seed: int = 1) -> Tensor:
    return torch.rand((n, 3, size, size), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("text", ["1010-0111-1100", "0000-0111-0001", "0000-0001-0000"])
@pytest.mark.parametrize(("node", "stem_padding"), [("residual", 0), ("residual", 1), ("dense", 0)])
def test_logits_have_their_shape_and_every_parameter_a_gradient(text: str, node: str, stem_padding: int) -> None:
    network = network_of(text, node=node, stem_padding=stem_padding)
    logits = network(images_of())
    assert logits.shape == (4, 3)
    assert logits.dtype == torch.float32
    logits.square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name


def test_without_an_active_phase_the_mean_colour_decides() -> None:
    network, images = network_of("0000-0001"), images_of()
    colours = (images.mean(dim=(2, 3)) - torch.tensor(MEAN)) / torch.tensor(STD)
    expected = colours @ network.classify.weight.T + network.classify.bias
    torch.testing.assert_close(network(images), expected)
    assert sum(parameter.numel() for parameter in network.parameters()) == 3 * 3 + 3


def batch_norm(maps: Tensor, weights: dict[str, Tensor], name: str) -> Tensor:
    shift, scale, mean, variance = (
        weights[f"{name}.{part}"].view(1, -1, 1, 1) for part in ("bias", "weight", "running_mean", "running_var")
    )
    return ((maps - mean) / torch.sqrt(variance + 1e-5) * scale + shift).relu()


def by_hand(images: Tensor, weights: dict[str, Tensor]) -> Tensor:
    """Phase 1 of `0111`: 1 -> 3 <- 2 and the residual; phase 2 of `1010`: 1 -> 2 -> 3."""

    def node(maps: Tensor, name: str) -> Tensor:
        return batch_norm(F.conv2d(maps, weights[f"{name}.0.weight"], padding=1), weights, f"{name}.1")

    maps = (images - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)
    start = F.conv2d(maps, weights["phases.0.widen.weight"], padding=1)
    first, second = node(start, "phases.0.nodes.0"), node(start, "phases.0.nodes.1")
    joined = F.conv2d(torch.cat([first, second], dim=1), weights["phases.0.joins.2.reduce.weight"])
    third = node(joined, "phases.0.nodes.2")
    out = F.conv2d(torch.cat([third, start], dim=1), weights["phases.0.output_join.reduce.weight"])
    maps = F.max_pool2d(batch_norm(out, weights, "phases.0.finish.0"), 2)
    maps = F.conv2d(maps, weights["phases.2.widen.weight"])
    for number in range(3):
        maps = node(maps, f"phases.2.nodes.{number}")
    maps = batch_norm(maps, weights, "phases.2.finish.0")
    return maps.mean(dim=(2, 3)) @ weights["classify.weight"].T + weights["classify.bias"]


def test_a_network_computes_what_its_graph_says() -> None:
    network = network_of("0111-1010", stem_padding=1)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                for values in (module.weight, module.bias, module.running_mean, module.running_var):
                    values.copy_(torch.rand(values.shape, generator=generator) + 0.2)
        images = images_of()
        actual = network.eval()(images)
    torch.testing.assert_close(actual, by_hand(images, dict(network.state_dict())))
    assert actual.std() > 0.01


@pytest.mark.parametrize("widths", [(3, 3), (3,) * 5, (3, 3, 6)])
def test_maps_convolved_each_alone_in_training_give_what_their_concatenation_gives(widths: tuple[int, ...]) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        convolution = nn.Conv2d(sum(widths), 6, 1, bias=False).double()
        maps = [torch.randn(2, width, 4, 5, dtype=torch.float64, requires_grad=True) for width in widths]
    results = [convolve_together(convolution, maps, training=training) for training in (True, False)]
    torch.testing.assert_close(*results)
    leaves = [*maps, convolution.weight]
    gradients = [torch.autograd.grad(result.sin().sum(), leaves) for result in results]
    for gradient, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(gradient, expected)


def test_a_dense_network_computes_what_its_graph_says() -> None:
    # One phase, 1 -> 3 <- 2 and the residual; width 4, so that each node gives two channels.
    network = network_of("0111", channels=4, stem_padding=1, node="dense")
    network(images_of())  # moves the running statistics
    network.eval()
    (phase,), images = network.phases, images_of(seed=3)

    def node(maps: Tensor, number: int) -> Tensor:
        normalise, _, squeeze, normalise_again, _, grow = phase.nodes[number]
        squeezed = F.conv2d(F.relu(normalise(maps)), squeeze.weight)
        return F.conv2d(F.relu(normalise_again(squeezed)), grow.weight, padding=1)

    start = F.conv2d(network.normalise(images), phase.widen.weight, padding=1)
    third = node(torch.cat([node(start, 0), node(start, 1)], dim=1), 2)
    out = F.conv2d(torch.cat([third, start], dim=1), phase.transition.weight)
    maps = F.relu(phase.finish[0](out))
    assert [maps.shape[1], third.shape[1]] == [4, 2]
    torch.testing.assert_close(network(images), network.classify(maps.mean(dim=(2, 3))))


def test_widths_of_a_list_are_taken_in_order_by_the_active_phases() -> None:
    network = network_of("1010-0000-0111-1100", channels=[4, 4, 3, 9])
    phases = [phase for phase in network.phases if hasattr(phase, "widen")]
    assert [phase.finish[0].num_features for phase in phases] == [4, 4, 3]
    assert [type(phase.widen).__name__ for phase in phases] == ["Conv2d", "Identity", "Conv2d"]
    images = images_of()
    network(images).sum().backward()
    # The pool's output goes into the second phase as it is, and comes out of it unchanged by operations in place.
    pooled = network.eval().phases[:2](network.normalise(images))
    kept = pooled.clone()
    network.phases[2](pooled)
    assert torch.equal(pooled, kept)


def test_evaluation_mode_takes_each_image_alone_and_training_mode_the_batch() -> None:
    network, images = network_of("1011-0110"), images_of()
    with torch.no_grad():
        together = network(images)
        assert not torch.allclose(together[:2], network(images[:2]), atol=1e-3)
        network.eval()
        state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        torch.testing.assert_close(network(images)[:2], network(images[:2]))
    assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())


def test_equal_phenotypes_and_seeds_give_equal_networks() -> None:
    # 2 -> 3 and 1 -> 2 are both a chain of two nodes once the isolated node is dropped.
    state, same, other = (
        network_of(text, seed=seed).state_dict() for text, seed in (("1000", 0), ("0010", 0), ("1000", 1))
    )
    assert list(state) == list(same)
    assert all(torch.equal(state[name], same[name]) for name in state)
    assert not torch.equal(state["classify.weight"], other["classify.weight"])
