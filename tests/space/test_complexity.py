import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ptflops import get_model_complexity_info

from roco.networks.decoder import GenomeNetwork
from roco.space.complexity import Complexity, complexity, growth_of, widths_of
from roco.space.genome import Genome, bits_per_phase
from roco.space.settings import PUBLISHED_GENOMES


@pytest.mark.parametrize(
    ("name", "parameters", "flops"),
    [("paper_roco", 338_394, 32_364_042), ("paper_baseline", 327_418, 34_383_626)],
)
def test_published_networks(name: str, parameters: int, flops: int) -> None:
    phenotype = Genome.parse(PUBLISHED_GENOMES[name]).phenotype
    assert complexity(phenotype, channels=16, classes=10, stem_padding=0, image_size=32) == Complexity(
        parameters, flops
    )


@pytest.mark.parametrize(
    ("node", "roco", "baseline"),
    [("dense", (2_604_938, 625_926_666), (2_744_586, 782_091_274)), ("residual", (2_368_394, None), (2_499_722, None))],
)
def test_published_networks_as_the_authors_retrain_them(
    node: str, roco: tuple[int, int | None], baseline: tuple[int, int | None]
) -> None:
    # Table V has 3.13 M for RoCo and 3.27 M for the baseline.
    for name, (parameters, flops) in (("paper_roco", roco), ("paper_baseline", baseline)):
        phenotype = Genome.parse(PUBLISHED_GENOMES[name]).phenotype
        shape = {"channels": [128, 128, 128], "classes": 10, "stem_padding": 0}
        actual = complexity(phenotype, image_size=32, node=node, **shape)
        network = GenomeNetwork(phenotype, mean=[0.5] * 3, std=[0.25] * 3, node=node, **shape)
        assert actual.parameters == sum(parameter.numel() for parameter in network.parameters()) == parameters
        assert flops in (None, actual.flops)


@settings(max_examples=25)
@given(st.data())
def test_complexity_is_what_ptflops_and_torch_count(data: st.DataObject) -> None:
    phases, nodes = data.draw(st.integers(1, 4)), data.draw(st.integers(2, 6))
    length = phases * bits_per_phase(nodes)
    bits = data.draw(st.lists(st.integers(0, 1), min_size=length, max_size=length))
    phenotype = Genome.from_bits(bits, phases=phases, nodes=nodes).phenotype
    shape = {
        "channels": data.draw(st.integers(1, 4) | st.lists(st.integers(1, 4), min_size=4, max_size=4)),
        "classes": data.draw(st.integers(2, 5)),
        "stem_padding": data.draw(st.integers(0, 1)),
    }
    # Odd sizes lose a row and a column in a pool.
    size = data.draw(st.integers(16, 23))
    node = data.draw(st.sampled_from(["residual", "preactivation", "dense"]))
    network = GenomeNetwork(phenotype, **shape, mean=[0.5] * 3, std=[0.25] * 3, node=node).eval()
    flops, _ = get_model_complexity_info(
        network, (3, size, size), as_strings=False, print_per_layer_stat=False, backend="pytorch"
    )
    parameters = sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
    assert complexity(phenotype, **shape, image_size=size, node=node) == Complexity(parameters, flops)


def test_one_phase_by_hand() -> None:
    # 1 -> 2 and the residual, width 2, on 6x6 pixels after the stem.
    actual = complexity(Genome.parse("11").phenotype, channels=2, classes=3, stem_padding=0, image_size=8)
    stem, node, join, norm, linear = 3 * 2 * 9, 2 * 2 * 9, 4 * 2, 2 * 2, 2 * 3 + 3
    assert actual.parameters == stem + 2 * (node + norm) + join + norm + linear
    # Each of three normalisations costs 2 a value, each ReLU after it 2; the last pool 2 a value.
    assert actual.flops == 36 * (stem + 2 * node + join) + 3 * 36 * 2 * (2 + 2) + 36 * 2 * 2 + linear


def test_widths_of_phases() -> None:
    assert widths_of(3, 4) == [3, 6, 12, 24]
    # Active phases take the widths in order, whichever of the three they are.
    assert widths_of([16, 48, 32], 2) == [16, 48]
    with pytest.raises(ValueError, match=r"expected a width for each of 3 active phases, got \[16, 48\]"):
        widths_of([16, 48], 3)


def test_a_dense_network_of_nsga_nets_width_has_its_growth() -> None:
    # Lu et al. 2019 have 128 channels and k = 64 in their dense networks; half of a width of 1 is rounded up.
    assert [growth_of(channels) for channels in (128, 16, 3, 1)] == [64, 8, 1, 1]


def test_genomes_and_search_never_import_torch() -> None:
    code = (
        "import sys, roco.config, roco.space.genome, roco.space.complexity, roco.search.variation, "
        "roco.search.survival, roco.search.pool, roco.search.worker; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
