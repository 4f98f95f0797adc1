"""Which networks of a stack have which node, and which maps each node joins. Nothing here computes.

A phase of K networks has as many node slots as its largest graph has nodes. The members of a slot are the networks with
at least so many nodes, so nothing is computed for nodes that do not exist. Map 0 of a phase is its input, map i + 1 is
the output of node i.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from roco.space.genome import PhaseGraph

# In a table: the network does not have this map or join.
ABSENT = -1


@dataclass(frozen=True)
class Join:
    """The maps that a node slot, or the output of the phase, takes as input.

    Attributes:
        members: the numbers of the networks that have this slot, rising.
        sources: for each member the maps that it joins, in the order of its 1x1 convolution's input. A single map
            passes unchanged; several are reduced by that convolution.
    """

    members: tuple[int, ...]
    sources: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class PhaseLayout:
    """A phase of K networks.

    Attributes:
        nodes: the node slots, in topological order; slot j joins some of maps 0 .. j.
    """

    networks: int
    nodes: tuple[Join, ...]
    output: Join

    @classmethod
    def of(cls, graphs: Sequence[PhaseGraph]) -> "PhaseLayout":
        """The layout of one graph for each network."""
        slots = []
        for slot in range(max(len(graph.inputs) for graph in graphs)):
            members = tuple(k for k, graph in enumerate(graphs) if len(graph.inputs) > slot)
            sources = tuple(tuple(node + 1 for node in graphs[k].inputs[slot]) or (0,) for k in members)
            slots.append(Join(members, sources))
        ends = tuple(tuple(node + 1 for node in graph.outputs) + (0,) * graph.residual for graph in graphs)
        return cls(len(graphs), tuple(slots), Join(tuple(range(len(graphs))), ends))

    @property
    def joins(self) -> tuple[Join, ...]:
        """The joins of the node slots, then the join of the output; join j takes some of maps 0 .. j."""
        return (*self.nodes, self.output)

    def members(self, source: int) -> tuple[int, ...]:
        """The networks that have a map."""
        return self.nodes[source - 1].members if source else tuple(range(self.networks))

    def forward_table(self, number: int) -> list[list[int]]:
        """For each member of join `number`, how it uses maps 0 .. `number`.

        An entry is ABSENT if it does not. Otherwise it is twice the network's position in the map, plus 1 if the map
        passes through a convolution.
        """
        members = [self.members(source) for source in range(number + 1)]
        join = self.joins[number]
        return [
            [
                2 * owners.index(network) + (len(sources) > 1) if source in sources else ABSENT
                for source, owners in enumerate(members)
            ]
            for network, sources in zip(join.members, join.sources, strict=True)
        ]

    def backward_table(self, source: int) -> list[list[int]]:
        """For each network that has map `source`, how joins `source`, `source` + 1, ..., the output used that map.

        An entry is ABSENT if the join did not. Otherwise it is twice the network's position in the join, plus 1 if the
        map passed through a convolution.
        """
        uses = [
            {
                network: 2 * position + (len(sources) > 1)
                for position, (network, sources) in enumerate(zip(join.members, join.sources, strict=True))
                if source in sources
            }
            for join in self.joins[source:]
        ]
        return [[entries.get(network, ABSENT) for entries in uses] for network in self.members(source)]
