"""`roco describe`: what a genome decodes to."""

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any, get_args

from roco.commands._arguments import image_size, positive, widths
from roco.errors import ConfigError
from roco.networks.spec import DecoderSettings, GenomeSpec
from roco.space.complexity import Channels, NodeKind, widths_of
from roco.space.genome import Genome, PhaseGraph
from roco.space.settings import PUBLISHED_GENOMES

if TYPE_CHECKING:
    from roco.commands import Commands


def add_command(commands: "Commands") -> None:
    """Adds the command's parser."""
    describe = commands.add_parser("describe", help="what a genome decodes to: key, phases, parameters, FLOPs")
    describe.add_argument("genome", help=f"bits as 0010...-1000...-0001..., or {', '.join(PUBLISHED_GENOMES)}")
    describe.add_argument(
        "--channels",
        type=widths,
        default=16,
        help="width of the first phase, doubled with each later phase, or of each phase as 16,32,64 (default: 16)",
    )
    describe.add_argument("--image-size", type=image_size, default=32, help="height and width in pixels (default: 32)")
    describe.add_argument("--classes", type=positive, default=10, help="number of classes (default: 10)")
    describe.add_argument("--stem-padding", type=int, choices=(0, 1), default=0, help="(default: 0)")
    describe.add_argument("--node", choices=get_args(NodeKind), default="residual", help="(default: residual)")
    describe.add_argument("--json", action="store_true", help="print JSON")
    describe.add_argument("--svg", metavar="FILE", help="draw the network into this file")
    describe.set_defaults(run=_describe)


def _describe(options: argparse.Namespace) -> None:
    genome = Genome.parse(PUBLISHED_GENOMES.get(options.genome, options.genome))
    _check_size(genome, options.image_size + 2 * options.stem_padding)
    _check_widths(genome, options.channels)
    decoder = DecoderSettings(channels=options.channels, stem_padding=options.stem_padding, node=options.node)
    facts = description_of(decoder.spec(genome, classes=options.classes, image_size=options.image_size))
    print(json.dumps(facts, indent=1) if options.json else _as_text(facts))
    if options.svg:
        from roco.report.figures.drawing import draw_network

        draw_network(genome.phenotype, options.svg, channels=options.channels, title=genome.key)
        print(f"drawn into {options.svg}", file=sys.stderr)


def _check_size(genome: Genome, padded: int) -> None:
    """Raises ConfigError if no pixel is left after the stem and a halving between active phases."""
    halvings = max(0, len(genome.phenotype.phases) - 1)
    if (padded - 2) >> halvings < 1:
        raise ConfigError(f"--image-size: too small for a network of {halvings + 1} active phases")


def _check_widths(genome: Genome, channels: Channels) -> None:
    if not isinstance(channels, int) and len(channels) != len(genome.phases):
        raise ConfigError(f"--channels: expected a width for each of {len(genome.phases)} phases, got {len(channels)}")


def description_of(spec: GenomeSpec) -> dict[str, Any]:
    """What a genome decodes to, as plain data; `flops` as ptflops counts them with its pytorch backend."""
    graphs, cost = spec.phenotype.phases, spec.cost
    phases = [
        {
            "channels": width,
            "nodes": len(graph.inputs),
            "edges": graph.edges,
            "depth": graph.depth,
            "residual": graph.residual,
            "inputs": [list(sources) for sources in graph.inputs],
        }
        for graph, width in zip(graphs, widths_of(spec.channels, len(graphs)), strict=True)
    ]
    return {
        "genome": spec.genome,
        "key": spec.phenotype.key,
        "channels": spec.channels,
        "image_size": spec.image_size,
        "classes": spec.classes,
        "stem_padding": spec.stem_padding,
        "node": spec.node,
        "phases": phases,
        "parameters": cost.parameters,
        "flops": cost.flops,
    }


def _as_text(facts: dict[str, Any]) -> str:
    lines = [f"genome      {facts['genome']}", f"key         {facts['key']}"]
    for number, phase in enumerate(facts["phases"], start=1):
        shape = f"{phase['channels']} channels, {phase['nodes']} nodes, {phase['edges']} edges, depth {phase['depth']}"
        lines.append(f"phase {number}     {shape}{', residual' if phase['residual'] else ''}")
        lines.append(f"              {_row_of_columns(phase['inputs'])}")
        for node, sources in enumerate(phase["inputs"], start=1):
            named = ", ".join(f"node {source + 1}" for source in sources) or "the phase's input"
            lines.append(f"              node {node} <- {named}")
    if not facts["phases"]:
        lines.append("phases      none is active: only the global average and the linear layer are left")
    if facts["node"] != "residual":
        lines.append(f"nodes       {facts['node']}")
    size = facts["image_size"]
    lines.append(f"parameters  {facts['parameters']:,}")
    lines.append(f"FLOPs       {facts['flops']:,} multiply-adds for an image of {size}x{size}, as ptflops counts them")
    return "\n".join(lines)


def _row_of_columns(inputs: list[list[int]]) -> str:
    """A phase from left to right, with nodes of equal depth side by side: `in > 1 2 > 3 > out`."""
    depths = PhaseGraph(tuple(map(tuple, inputs)), residual=False).depths
    columns = [
        " ".join(str(node) for node, depth in enumerate(depths, start=1) if depth == column)
        for column in range(1, max(depths) + 1)
    ]
    return " > ".join(["in", *columns, "out"])
