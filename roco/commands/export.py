"""`roco export`: a trained network as a file for others, with a card."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from roco.retraining.export import FORMATS, export_network, find_network

if TYPE_CHECKING:
    from roco.commands import Commands


def add_command(commands: "Commands") -> None:
    """Adds the command's parser."""
    export = commands.add_parser("export", help="a trained network as safetensors, ONNX or torch.export, with a card")
    export.add_argument("network", metavar="KEY_OR_FILE", help="a retrained network's key, or a network.safetensors")
    export.add_argument("--format", choices=tuple(FORMATS), default="safetensors", help="(default: safetensors)")
    export.add_argument("--output", metavar="FILE", help="the file to write; its card gets the same name with .md")
    export.add_argument("--training-seed", type=int, help="which retraining of a key (default: the first seed's)")
    export.add_argument("--results", default="results", help="where a key is looked up (default: results)")
    export.set_defaults(run=_export)


def _export(options: argparse.Namespace) -> None:
    from roco.files import atomic
    from roco.retraining.card import model_card

    results = Path(options.results).expanduser()
    path = find_network(options.network, results, options.training_seed)
    stem = _stem(path) if options.network == str(path) else options.network
    output = Path(options.output or f"{stem}{FORMATS[options.format]}")
    card = model_card(path)
    export_network(path, options.format, output)
    with atomic(output.with_suffix(".md")) as temporary:
        temporary.write_text(card, encoding="utf-8")
    print(f"{output} and its card {output.with_suffix('.md')}, from {path}")


def _stem(path: Path) -> str:
    """A name for the copy of a study's file: the target, or the slot and the training."""
    folder = path.parent
    return f"{folder.parent.name}_{folder.name}" if folder.name.startswith("training_") else folder.name
