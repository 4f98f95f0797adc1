"""Target networks: the parameter counts of their papers, every size and width they are configured to, and gradients."""

import math
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from roco.networks.blocks import DenseLayer, ResidualUnit
from roco.networks.settings import TargetsConfig
from roco.networks.targets import (
    AllConvConfig,
    Architecture,
    DenseNetConfig,
    LeNetConfig,
    ResNetConfig,
    VGG16Config,
)

SMALL: list[Architecture] = [
    LeNetConfig(width=0.5),
    VGG16Config(width=0.1),
    ResNetConfig(width=0.25, depth=8),
    DenseNetConfig(growth=2, depth=10),
    AllConvConfig(width=0.1),
]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small are slower on several threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def target(architecture: Architecture, *, classes: int = 10, image_size: int = 32) -> nn.Module:
    return architecture.build(classes=classes, image_size=image_size, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.1))


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("architecture", "count"),
    [
        # 456 + 2,416 + 48,120 + 10,164 + 850: LeCun et al. 1998 for three channels and ten classes.
        (LeNetConfig(), 62_006),
        # 14,728,266 of the usual implementation, without its 4,224 biases in front of batch normalisation.
        (VGG16Config(), 14_724_042),
        # He et al. 2015 (Deep residual learning), Table 6: 0.46M for depth 32.
        (ResNetConfig(), 466_714),
        # Huang et al. 2017, Table 2: 0.8M for DenseNet-BC (k = 12) of depth 100.
        (DenseNetConfig(), 769_162),
        # 1,329,696 of 3x3, 36,864, 1,930, and 2,496 of batch normalisation. Springenberg et al. 2015: about 1.3M.
        (AllConvConfig(), 1_370_986),
    ],
)
def test_parameters_are_those_of_the_paper(architecture: Architecture, count: int) -> None:
    assert parameters(target(architecture)) == count


def test_depth_counts_the_layers_with_weights() -> None:
    def depth(network: nn.Module) -> int:
        weighted = [name for name, module in network.named_modules() if isinstance(module, nn.Conv2d | nn.Linear)]
        # A shortcut is beside the way, not on it.
        return sum(not name.endswith("shortcut") for name in weighted)

    assert depth(target(LeNetConfig())) == 5
    assert depth(target(ResNetConfig(depth=14))) == 14
    assert depth(target(DenseNetConfig(depth=16))) == 16


@pytest.mark.parametrize("architecture", SMALL, ids=lambda architecture: type(architecture).__name__)
@pytest.mark.parametrize("image_size", [16, 17, 28, 48])
def test_images_of_any_size_give_finite_logits(architecture: Architecture, image_size: int) -> None:
    torch.manual_seed(0)
    network = target(architecture, classes=7, image_size=image_size)
    logits = network(torch.rand(4, 3, image_size, image_size))
    assert logits.shape == (4, 7)
    assert logits.isfinite().all()
    # Different images are told apart: nothing on the way is dead.
    assert logits.std(dim=0).min() > 0


@pytest.mark.parametrize("architecture", SMALL, ids=lambda architecture: type(architecture).__name__)
def test_every_parameter_gets_a_gradient(architecture: Architecture) -> None:
    torch.manual_seed(0)
    network = target(architecture, image_size=16)
    torch.nn.functional.cross_entropy(network(torch.rand(8, 3, 16, 16)), torch.arange(8)).backward()
    silent = [name for name, parameter in network.named_parameters() if not parameter.grad.abs().sum() > 0]
    assert silent == []


@pytest.mark.parametrize("architecture", SMALL, ids=lambda architecture: type(architecture).__name__)
def test_the_same_seed_gives_the_same_weights(architecture: Architecture) -> None:
    states = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        states.append(torch.cat([parameter.flatten() for parameter in target(architecture).parameters()]))
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


@pytest.mark.parametrize(
    ("architecture", "widths"),
    [
        (LeNetConfig(width=0.5), [4, 8]),
        (LeNetConfig(width=2.0), [12, 32]),
        (VGG16Config(width=0.01), [4, 5]),
        (VGG16Config(width=0.25), [16, 32, 64, 128]),
        (AllConvConfig(width=0.125), [10, 12, 24]),
        (ResNetConfig(width=0.3, depth=8), [5, 10, 19]),
    ],
)
def test_width_scales_channels_which_are_four_at_least(architecture: Architecture, widths: list[int]) -> None:
    convolutions = [module for module in target(architecture).modules() if isinstance(module, nn.Conv2d)]
    assert sorted({convolution.out_channels for convolution in convolutions}) == widths


def test_dense_layers_keep_what_they_are_given() -> None:
    torch.manual_seed(0)
    images = torch.randn(2, 6, 5, 5)
    joined = DenseLayer(6, 3)(images.clone())
    assert joined.shape == (2, 9, 5, 5)
    assert torch.equal(joined[:, :6], images)


def test_residual_units_add_to_what_they_are_given() -> None:
    torch.manual_seed(0)
    unit, images = ResidualUnit(4, 4, stride=1), torch.randn(2, 4, 6, 6)
    nn.init.zeros_(unit.residual[-1].weight)
    assert torch.equal(unit(images.clone()), images)
    halved = ResidualUnit(4, 8, stride=2)
    assert halved(images).shape == (2, 8, 3, 3)


def test_images_are_normalised_inside() -> None:
    torch.manual_seed(0)
    network = target(LeNetConfig())
    images = torch.rand(2, 3, 32, 32)
    scaled = (images - torch.tensor([0.5, 0.4, 0.3]).view(3, 1, 1)) / torch.tensor([0.2, 0.3, 0.1]).view(3, 1, 1)
    torch.testing.assert_close(network(images), network.layers(scaled))


def test_convolutions_start_as_he_et_al_do() -> None:
    torch.manual_seed(0)
    convolutions = [module for module in target(VGG16Config()).modules() if isinstance(module, nn.Conv2d)]
    assert len(convolutions) == 13
    for convolution in convolutions[2:]:
        assert convolution.weight.std().item() == pytest.approx(math.sqrt(2 / (9 * convolution.out_channels)), rel=0.05)


def test_the_test_set_has_one_target_more_unless_it_shares_those_of_the_search() -> None:
    names = ["densenet", "lenet", "resnet", "vgg16"]
    assert list(TargetsConfig().architectures("test")) == [*names, "allconv"]
    assert list(TargetsConfig().architectures("validation")) == names
    shared = TargetsConfig.model_validate({"test": None, "vgg16": None, "seed": 3})
    assert shared.architectures("test") == shared.architectures("validation")
    assert (shared.seed_of("test"), TargetsConfig(seed=3).seed_of("test")) == (3, 0)
    alone = TargetsConfig.model_validate({"test": {"allconv": None}})
    assert list(alone.architectures("test")) == names
