"""Published numbers: the paper's Tables I to V, and networks on CIFAR-10 for Figure 2. No results of ours.

Source, unless stated otherwise: Geraeinejad, Sinaei, Modarressi, Daneshtalab, "RoCo-NAS: Robust and Compact Neural
Architecture Search", IJCNN 2021.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

# Table I: adversarial samples by target, then by (norm, threshold).
ADVERSARIAL_SAMPLES: Mapping[str, Mapping[tuple[str, int], int]] = MappingProxyType(
    {
        target: MappingProxyType(
            dict(
                zip([(norm, threshold) for norm in ("l0", "linf") for threshold in (1, 3, 5, 10)], counts, strict=True)
            )
        )
        for target, counts in {
            "densenet": (133, 178, 201, 285, 76, 85, 93, 143),
            "lenet": (444, 529, 571, 651, 274, 279, 289, 329),
            "resnet": (220, 304, 367, 478, 91, 102, 129, 190),
            "vgg16": (440, 506, 541, 627, 289, 296, 307, 344),
        }.items()
    }
)

# Tables III and IV: accuracy as a fraction by (search, number of lightest networks).
ADVERSARIAL_SET_ACCURACY: Mapping[tuple[str, int], float] = MappingProxyType(
    {
        ("baseline", 1): 0.7577,
        ("baseline", 3): 0.7865,
        ("baseline", 5): 0.7955,
        ("roco", 1): 0.8215,
        ("roco", 3): 0.8189,
        ("roco", 5): 0.8191,
    }
)
TEST_ACCURACY: Mapping[tuple[str, int], float] = MappingProxyType(
    {
        ("baseline", 1): 0.9280,
        ("baseline", 3): 0.9450,
        ("baseline", 5): 0.9497,
        ("roco", 1): 0.9580,
        ("roco", 3): 0.9590,
        ("roco", 5): 0.9578,
    }
)


@dataclass(frozen=True)
class ComparedNetwork:
    """A row of the paper's Table V; accuracies are fractions, FLOPs multiply-adds of one image."""

    search: str
    published_as: str
    parameters: int
    flops: int
    pgd: float
    cw: float


# Table V. Its FLOPs are those of the networks at 16 initial channels (34.2289M and 32.2237M by the authors' count); at
# that width they have 327,418 and 338,394 parameters, in the other order. Its parameters are those of the networks that
# the authors' code retrains and attacks: dense nodes and 128 channels in each phase, 2,744,586 and 2,604,938 by our
# count. That has the paper's order and difference (0.14 M); both are 0.53 M fewer than it says, and we do not know why.
COMPARED_NETWORKS = (
    ComparedNetwork("baseline", "paper_baseline", 3_270_000, 34_220_000, 0.5096, 0.2655),
    ComparedNetwork("roco", "paper_roco", 3_130_000, 32_220_000, 0.5656, 0.3378),
)


@dataclass(frozen=True)
class PublishedNetwork:
    """A network of others for CIFAR-10: its number of parameters, its test error as a fraction, and the source."""

    name: str
    parameters: int
    test_error: float
    source: str


# Figure 2. All trained for 300 epochs or more and, except for SMASH, with cutout or stronger augmentation.
PUBLISHED_NETWORKS = (
    PublishedNetwork("ProxylessNAS", 5_700_000, 0.0208, "Cai et al., ICLR 2019, abstract"),
    PublishedNetwork("ENAS", 4_600_000, 0.0289, "Pham et al., ICML 2018, Table 2 (micro search space + CutOut)"),
    PublishedNetwork("DARTS", 3_300_000, 0.0276, "Liu et al., ICLR 2019, Table 1 (second order + cutout)"),
    PublishedNetwork("SMASH", 16_000_000, 0.0403, "Brock et al., ICLR 2018, Table 1 (SMASHv2)"),
    PublishedNetwork(
        "NSGA-Net", 3_370_000, 0.0373, "Lu et al., GECCO 2019, the authors' repository (macro search space)"
    ),
)
