import itertools
import time

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roco.errors import GenomeError
from roco.space.genome import Genome, PhaseGraph, bits_per_phase
from roco.space.settings import PUBLISHED_GENOMES


@st.composite
def genomes(draw: st.DrawFn, *, max_nodes: int = 7) -> Genome:
    phases, nodes = draw(st.integers(1, 4)), draw(st.integers(2, max_nodes))
    length = phases * bits_per_phase(nodes)
    return Genome.from_bits(
        draw(st.lists(st.integers(0, 1), min_size=length, max_size=length)), phases=phases, nodes=nodes
    )


def edges_of(phase: tuple[int, ...], nodes: int) -> list[tuple[int, int]]:
    """Row i has i bits and says which of nodes 1 .. i feed node i + 1 (paper, Section III); nodes from 1."""
    pairs = [(source, row + 1) for row in range(1, nodes) for source in range(1, row + 1)]
    return [pair for pair, bit in zip(pairs, phase[:-1], strict=True) if bit]


def phase_of(edges: set[tuple[int, int]], nodes: int, *, residual: int) -> tuple[int, ...]:
    pairs = [(source, row + 1) for row in range(1, nodes) for source in range(1, row + 1)]
    return (*(int(pair in edges) for pair in pairs), residual)


# ---------------------------------------------------------------------------------------------------------------
# Texts and bits


@given(genomes())
def test_text_and_bits_read_back(genome: Genome) -> None:
    phases, nodes = len(genome.phases), genome.nodes
    assert Genome.parse(str(genome)) == genome
    assert Genome.parse(f" {genome}\n", phases=phases, nodes=nodes) == genome
    assert Genome.from_bits(genome.bits, phases=phases, nodes=nodes) == genome
    assert genome.bits.dtype == bool
    assert "".join(str(int(bit)) for bit in genome.bits) == str(genome).replace("-", "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "got 0 in ''"),
        ("101", "got 3 in '101'"),
        ("0101-01x1", "expected only 0, 1 and '-', got 'x'"),
        ("0101-01\n1", r"got '\\n' in '0101-01\\n1'"),
        ("0101-01", "phase 2: expected 4 bits for 3 nodes, got 2"),
        ("0101--0101", "phase 2: expected 4 bits for 3 nodes, got 0"),
        ("0" * 37, "for 2 to 8 nodes"),  # 9 nodes
    ],
)
def test_a_malformed_text_gives_one_line(text: str, message: str) -> None:
    with pytest.raises(GenomeError, match=message) as caught:
        Genome.parse(text)
    assert "\n" not in str(caught.value)


def test_the_expected_shape_is_held_to() -> None:
    with pytest.raises(GenomeError, match="expected 3 groups of bits joined by '-', got 2"):
        Genome.parse("0101-0101", phases=3)
    with pytest.raises(GenomeError, match="phase 1: expected 16 bits for 6 nodes, got 4"):
        Genome.parse("0101-0101", nodes=6)
    with pytest.raises(GenomeError, match="expected 8 bits, got 7"):
        Genome.from_bits([0] * 7, phases=2, nodes=3)
    with pytest.raises(GenomeError, match="expected bits 0 and 1"):
        Genome.from_bits([0, 2, 0, 0], phases=1, nodes=3)
    with pytest.raises(GenomeError, match="expected 2 to 8 nodes in a phase, got 9"):
        Genome.from_bits([1] * 37, phases=1, nodes=9)


# ---------------------------------------------------------------------------------------------------------------
# Decoding


@pytest.mark.parametrize(
    ("text", "inputs", "outputs", "residual"),
    [
        ("10", ((), (0,)), (1,), False),
        ("11", ((), (0,)), (1,), True),
        # 1 -> 2 -> 3.
        ("1010", ((), (0,), (1,)), (2,), False),
        # 1 -> 3 and 2 -> 3.
        ("0111", ((), (), (0, 1)), (2,), True),
        # 1 -> 2 and 1 -> 3: two ends.
        ("1100", ((), (0,), (0,)), (1, 2), False),
        # 1 -> 3 alone: node 2 has no edge and is dropped.
        ("0101", ((), (0,)), (1,), True),
        # Rows 1 | 00 | 001: 1 -> 2 and 3 -> 4, two parts.
        ("1000010", ((), (), (0,), (1,)), (2, 3), False),
        # Rows 1 | 11 | 111: everything.
        ("1111110", ((), (0,), (0, 1), (0, 1, 2)), (3,), False),
    ],
)
def test_rows_decode_as_the_paper_says(
    text: str, inputs: tuple[tuple[int, ...], ...], outputs: tuple[int, ...], residual: bool
) -> None:
    (graph,) = Genome.parse(text).phenotype.phases
    assert graph == PhaseGraph(inputs, residual)
    assert graph.outputs == outputs


@given(genomes())
def test_decoding_keeps_the_graph_without_its_isolated_nodes(genome: Genome) -> None:
    expected = [nx.DiGraph(edges) for phase in genome.phases if (edges := edges_of(phase, genome.nodes))]
    residuals = [bool(phase[-1]) for phase in genome.phases if any(phase[:-1])]
    phases = genome.phenotype.phases
    assert [graph.residual for graph in phases] == residuals
    for graph, want in zip(phases, expected, strict=True):
        actual = nx.DiGraph([(source, node) for node, sources in enumerate(graph.inputs) for source in sources])
        assert nx.is_isomorphic(actual, want)
        assert all(source < node for node, sources in enumerate(graph.inputs) for source in sources)
        assert graph.edges == want.number_of_edges()
        assert graph.depth == nx.dag_longest_path_length(want) + 1
        assert {actual.out_degree(node) for node in graph.outputs} == {0}
        assert len(graph.outputs) == sum(degree == 0 for _, degree in want.out_degree())


def test_inactive_phases_are_left_out_wherever_they_are() -> None:
    none, a, b = "0000001", "1010110", "0110011"
    keys = {Genome.parse("-".join(order)).key for order in ((none, a, b), (a, none, b), (a, b, none))}
    assert len(keys) == 1
    assert Genome.parse(f"{a}-{b}").key in keys
    assert Genome.parse(f"{b}-{a}").key not in keys
    assert Genome.parse(f"{none}-{none}").phenotype.phases == ()


# ---------------------------------------------------------------------------------------------------------------
# Keys


def test_published_genomes_have_their_keys() -> None:
    keys = {name: Genome.parse(text).key for name, text in PUBLISHED_GENOMES.items()}
    assert keys == {"paper_roco": "da0bfc8200a0", "paper_baseline": "b93607386e6d"}


@given(st.data())
def test_isomorphic_graphs_share_a_key(data: st.DataObject) -> None:
    nodes = data.draw(st.integers(2, 7))
    length = bits_per_phase(nodes)
    phase = tuple(data.draw(st.lists(st.integers(0, 1), min_size=length, max_size=length)))
    edges, order = edges_of(phase, nodes), list[int]()
    while len(order) < nodes:
        # Any node that waits for no other node may come next: edges keep pointing forward.
        waiting = {b for a, b in edges if a not in order}
        order.append(
            data.draw(st.sampled_from([n for n in range(1, nodes + 1) if n not in order and n not in waiting]))
        )
    number = {node: position for position, node in enumerate(order, start=1)}
    relabelled = phase_of({(number[a], number[b]) for a, b in edges}, nodes, residual=phase[-1])
    assert Genome((relabelled,), nodes).phenotype == Genome((phase,), nodes).phenotype


@pytest.mark.parametrize(("nodes", "graphs"), [(2, 2), (3, 6), (4, 31), (5, 302)])
def test_there_are_as_many_phenotypes_as_unlabelled_acyclic_graphs(nodes: int, graphs: int) -> None:
    # Source: OEIS A003087. Each with and without the residual edge, but for the empty graph.
    bits = itertools.product((0, 1), repeat=bits_per_phase(nodes))
    assert len({Genome((phase,), nodes).key for phase in bits}) == 2 * (graphs - 1) + 1


def test_the_most_symmetric_phases_of_eight_nodes_are_decoded_at_once() -> None:
    sources, sinks = {(1, n) for n in range(2, 9)}, {(n, 8) for n in range(1, 8)}
    halves = {(a, b) for a in range(1, 5) for b in range(5, 9)}
    pairs = {(n, n + 4) for n in range(1, 5)}
    start = time.perf_counter()
    for edges in (sources, sinks, halves, pairs):
        (graph,) = Genome((phase_of(edges, 8, residual=0),), 8).phenotype.phases
        assert graph.edges == len(edges)
    # Every order of 8 nodes would take many times as long.
    assert time.perf_counter() - start < 10
