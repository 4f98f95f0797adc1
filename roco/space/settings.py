"""Settings of the search space, and the genomes that the paper publishes."""

from typing import Annotated, Literal

from pydantic import Field

from roco.settings import Count, Section
from roco.space.complexity import NodeKind

PUBLISHED_GENOMES = {
    "paper_roco": "0010000000000000-1000101100001101-0001010111101111",
    "paper_baseline": "0010000010000000-0001100101011101-0100011100010101",
}

# The width of the first active phase, or of each active phase in order.
Widths = Count | Annotated[list[Count], Field(min_length=1)]


class SpaceConfig(Section):
    """The search space: phases of nodes, and the decoder (paper, Section III)."""

    phases: Annotated[int, Field(ge=1, le=5)] = 3
    nodes: Annotated[int, Field(ge=2, le=8)] = 6
    stem_padding: Literal[0, 1] = 0
    node: NodeKind = "residual"
