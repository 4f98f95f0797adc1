"""Genomes as bits, their repair to phenotypes, and the key that equal networks share.

Source: paper, Section III; the encoding is NSGA-Net's (Lu et al. 2019) after Genetic CNN (Xie and Yuille 2017).
"""

import hashlib
import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal

import numpy as np

from roco.errors import GenomeError

Density = Literal["half", "uniform"]

# A canonical form may need all orders of nodes with equal colours: 5,040 for 8 nodes, far too many for 20.
LARGEST_PHASE = 8


def bits_per_phase(nodes: int) -> int:
    """The length of a phase of `nodes` nodes: one bit for each possible edge, and the residual bit."""
    return nodes * (nodes - 1) // 2 + 1


@dataclass(frozen=True)
class Genome:
    """A point of the search space: for each phase the rows of its connection triangle, then the residual bit.

    Row i (i = 1 .. nodes - 1) has i bits: which of the nodes 1 .. i feed node i + 1.

    Attributes:
        phases: bits of each phase, each of length nodes (nodes - 1) / 2 + 1.
        nodes: the largest number of nodes in a phase.
    """

    phases: tuple[tuple[int, ...], ...]
    nodes: int

    def __post_init__(self) -> None:
        if not 2 <= self.nodes <= LARGEST_PHASE:
            raise GenomeError(f"expected 2 to {LARGEST_PHASE} nodes in a phase, got {self.nodes}")
        length = bits_per_phase(self.nodes)
        for number, phase in enumerate(self.phases, start=1):
            if len(phase) != length:
                raise GenomeError(f"phase {number}: expected {length} bits for {self.nodes} nodes, got {len(phase)}")
            if any(bit not in (0, 1) for bit in phase):
                raise GenomeError(f"phase {number}: expected bits 0 and 1, got {phase}")

    @classmethod
    def parse(cls, text: str, *, phases: int | None = None, nodes: int | None = None) -> "Genome":
        """The genome of a text such as `0010000000000000-1000101100001101-0001010111101111`.

        Args:
            text: one group of bits for each phase, joined by '-'.
            phases: the expected number of phases; any number if not given.
            nodes: the expected number of nodes; by default the number that fits the length of the first group.

        Raises:
            GenomeError: the text is malformed.
        """
        groups = text.strip().split("-")
        if phases is not None and len(groups) != phases:
            raise GenomeError(f"expected {phases} groups of bits joined by '-', got {len(groups)} in {text!r}")
        if stray := sorted(set(text.strip()) - set("01-")):
            raise GenomeError(f"expected only 0, 1 and '-', got {stray[0]!r} in {text!r}")
        if nodes is None:
            sizes = {bits_per_phase(n): n for n in range(2, LARGEST_PHASE + 1)}
            if len(groups[0]) not in sizes:
                raise GenomeError(
                    f"expected n(n-1)/2+1 bits in a group for 2 to {LARGEST_PHASE} nodes (16 for 6), "
                    f"got {len(groups[0])} in {text!r}"
                )
            nodes = sizes[len(groups[0])]
        return cls(tuple(tuple(int(bit) for bit in group) for group in groups), nodes)

    @classmethod
    def from_bits(cls, bits: Iterable[Any], *, phases: int, nodes: int) -> "Genome":
        """The genome of `phases * bits_per_phase(nodes)` bits in a row.

        Raises:
            GenomeError: the number of bits differs, or a bit is neither 0 nor 1.
        """
        flat, length = [int(bit) for bit in bits], bits_per_phase(nodes)
        if len(flat) != phases * length:
            raise GenomeError(f"expected {phases * length} bits, got {len(flat)}")
        return cls(tuple(tuple(flat[p * length : (p + 1) * length]) for p in range(phases)), nodes)

    @classmethod
    def random(cls, generator: np.random.Generator, *, phases: int, nodes: int, density: Density = "half") -> "Genome":
        """A random genome.

        Args:
            nodes: the largest number of nodes in a phase.
            density: `half`: each bit is 1 with a probability of one half, so that few networks are light. `uniform`:
                the probability is drawn for each phase, so that light and heavy phases are equally frequent.
        """
        length = bits_per_phase(nodes)
        chances = 0.5 if density == "half" else generator.random(phases).repeat(length)
        return cls.from_bits(generator.random(phases * length) < chances, phases=phases, nodes=nodes)

    @property
    def bits(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """All bits in one row, bool `(phases * bits_per_phase,)`."""
        return np.array([bit for phase in self.phases for bit in phase], dtype=bool)

    def __str__(self) -> str:
        return "-".join("".join(map(str, phase)) for phase in self.phases)

    @cached_property
    def phenotype(self) -> "Phenotype":
        """The network that the genome encodes, in canonical form."""
        graphs = (_phase_graph(phase, self.nodes) for phase in self.phases)
        return Phenotype(tuple(graph for graph in graphs if graph is not None))

    @property
    def key(self) -> str:
        """The phenotype's key."""
        return self.phenotype.key


@dataclass(frozen=True)
class PhaseGraph:
    """An active phase in canonical form: its nodes in a topological order, without nodes that have no edge.

    Attributes:
        inputs: for each node the nodes that feed it, with smaller numbers, rising; empty: the phase's input feeds it.
        residual: whether the phase input joins the phase output.
    """

    inputs: tuple[tuple[int, ...], ...]
    residual: bool

    @property
    def outputs(self) -> tuple[int, ...]:
        """The nodes that feed the phase output: those that feed no other node."""
        used = {source for sources in self.inputs for source in sources}
        return tuple(node for node in range(len(self.inputs)) if node not in used)

    @property
    def edges(self) -> int:
        """The number of edges between nodes."""
        return sum(map(len, self.inputs))

    @property
    def depth(self) -> int:
        """The number of nodes on the longest path."""
        return max(self.depths)

    @property
    def width(self) -> int:
        """The largest number of nodes at the same depth."""
        return max(self.depths.count(depth) for depth in self.depths)

    @property
    def depths(self) -> list[int]:
        """For each node the number of nodes on the longest path that ends with it."""
        depths: list[int] = []
        for sources in self.inputs:
            depths.append(1 + max((depths[source] for source in sources), default=0))
        return depths


@dataclass(frozen=True)
class Phenotype:
    """The network of a genome: its active phases in order. Equal networks have equal phenotypes."""

    phases: tuple[PhaseGraph, ...]

    @cached_property
    def key(self) -> str:
        """The first 12 hex digits of the SHA-256 of the canonical form."""
        form = [[[list(sources) for sources in phase.inputs], phase.residual] for phase in self.phases]
        return hashlib.sha256(json.dumps(form, separators=(",", ":")).encode()).hexdigest()[:12]


@lru_cache(maxsize=65536)
def _phase_graph(bits: tuple[int, ...], nodes: int) -> PhaseGraph | None:
    """Repairs a phase: nodes without any edge are dropped; without any edge at all the phase is inactive (None)."""
    edges: list[tuple[int, int]] = []
    position = 0
    for node in range(1, nodes):
        edges += [(source, node) for source in range(node) if bits[position + source]]
        position += node
    if not edges:
        return None
    kept = sorted({node for edge in edges for node in edge})
    number = {node: index for index, node in enumerate(kept)}
    return PhaseGraph(_canonical(len(kept), [(number[a], number[b]) for a, b in edges]), bool(bits[-1]))


def _canonical(size: int, edges: Sequence[tuple[int, int]]) -> tuple[tuple[int, ...], ...]:
    """The canonical form of a directed acyclic graph, which isomorphic graphs share.

    Nodes are sorted by colours, which are refined from their neighbourhoods (Weisfeiler and Leman). All orders of nodes
    with equal colours are tried, and the smallest adjacency is taken. Colours start as the depths of the nodes, so
    every order is topological.
    """
    before: list[list[int]] = [[] for _ in range(size)]
    after: list[list[int]] = [[] for _ in range(size)]
    for source, node in edges:
        before[node].append(source)
        after[source].append(node)
    depths: list[int] = [0] * size
    for node in range(size):
        depths[node] = max((depths[source] + 1 for source in before[node]), default=0)
    colours = depths
    while True:
        signatures = [
            (colours[v], tuple(sorted(colours[u] for u in before[v])), tuple(sorted(colours[u] for u in after[v])))
            for v in range(size)
        ]
        different = sorted(set(signatures))
        refined = [different.index(signature) for signature in signatures]
        if len(different) == len(set(colours)):
            break
        colours = refined
    classes = [[v for v in range(size) if colours[v] == colour] for colour in sorted(set(colours))]
    candidates = []
    for arrangement in itertools.product(*(itertools.permutations(members) for members in classes)):
        number = {v: i for i, v in enumerate(v for members in arrangement for v in members)}
        rows = sorted((number[v], tuple(sorted(number[u] for u in before[v]))) for v in range(size))
        candidates.append(tuple(sources for _, sources in rows))
    return min(candidates)
