"""Which networks of a stack have which node, and which maps each node joins; nothing here computes.

A phase of K networks has as many node slots as its largest graph. A slot holds the networks that have so many nodes,
its members, so nothing is computed for nodes that do not exist. Map 0 of a phase is its input, map i + 1 what node i
gives.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from roco.space.genome import PhaseGraph

# In a table of sources: the network does not have this source.
ABSENT = -1


@dataclass(frozen=True)
class Join:
    """The maps that a node slot, or the phase's output, takes together.

    Attributes:
        members: the networks that have this slot, by number, rising.
        sources: for each member the maps that it joins, in the order of its 1x1 convolution's input. One map passes as
            it is; several are reduced by that convolution.
    """

    members: tuple[int, ...]
    sources: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class PhaseLayout:
    """A phase of K networks.

    Attributes:
        networks: K.
        nodes: the node slots, in topological order; slot j joins maps 0 .. j.
        output: what the phase gives.
    """

    networks: int
    nodes: tuple[Join, ...]
    output: Join

    @classmethod
    def of(cls, graphs: Sequence[PhaseGraph]) -> "PhaseLayout":
        """The layout of one graph for each network."""
        slots = []
        for slot in range(max(len(graph.inputs) for graph in graphs)):
            having = [(k, graph.inputs[slot]) for k, graph in enumerate(graphs) if len(graph.inputs) > slot]
            slots.append(
                Join(
                    tuple(k for k, _ in having),
                    tuple(tuple(node + 1 for node in nodes) or (0,) for _, nodes in having),
                )
            )
        ends = tuple(tuple(node + 1 for node in graph.outputs) + (0,) * graph.residual for graph in graphs)
        return cls(len(graphs), tuple(slots), Join(tuple(range(len(graphs))), ends))

    @property
    def joins(self) -> tuple[Join, ...]:
        """Of the node slots, then of the output: join j takes maps 0 .. j."""
        return (*self.nodes, self.output)

    def members(self, source: int) -> tuple[int, ...]:
        """The networks that have a map."""
        return self.nodes[source - 1].members if source else tuple(range(self.networks))

    def places(self, source: int, wanted: Iterable[int]) -> list[int]:
        """Where in a map the wanted networks lie; ABSENT for those that do not have it."""
        place = {network: index for index, network in enumerate(self.members(source))}
        return [place.get(network, ABSENT) for network in wanted]

    def forward_table(self, number: int) -> list[list[int]]:
        """What each member of join `number` takes of maps 0 .. `number`.

        An entry is ABSENT, or twice the network's place in the map, plus 1 where a convolution weighs it.
        """
        join = self.joins[number]
        columns = [self.places(source, join.members) for source in range(number + 1)]
        return [
            [
                2 * columns[source][row] + (len(sources) > 1) if source in sources else ABSENT
                for source in range(number + 1)
            ]
            for row, sources in enumerate(join.sources)
        ]

    def backward_table(self, source: int) -> list[list[int]]:
        """What each network that has a map gets back from joins `source`, `source` + 1, ..., the output.

        An entry is ABSENT, or twice the network's place in the join, plus 1 where a convolution weighed it.
        """
        rows = []
        for network in self.members(source):
            row = []
            for join in self.joins[source:]:
                place = join.members.index(network) if network in join.members else ABSENT
                used = place != ABSENT and source in join.sources[place]
                row.append(2 * place + (len(join.sources[place]) > 1) if used else ABSENT)
            rows.append(row)
        return rows
