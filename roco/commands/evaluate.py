"""`roco evaluate`: anyone's network under the white-box protocol."""

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from roco.commands._arguments import image_size, positive

if TYPE_CHECKING:
    from roco.commands import Commands


def add_command(commands: "Commands") -> None:
    """Adds the command's parser."""
    command = commands.add_parser("evaluate", help="anyone's network under white-box attacks: a JSON file and a page")
    command.add_argument(
        "network",
        metavar="MODEL",
        help="a .pt2 file of torch.export, an .onnx file, package.module:factory, or a network of roco",
    )
    command.add_argument(
        "--images",
        required=True,
        metavar="IMAGES",
        help="test images: cifar10 or another published set, an .npz, a folder with a folder per class, a dataset.h5",
    )
    command.add_argument("--attacks", metavar="FILE", help="a configuration, for its section robustness")
    command.add_argument("--number", type=positive, help="how many images to attack (default: 1000, or FILE's)")
    command.add_argument("--image-size", type=image_size, help="resize images to N x N pixels (default: their size)")
    command.add_argument("--mean", type=_numbers, default=(0.0,), help="of the network's normalisation, as 0.5,0.5,0.5")
    command.add_argument("--std", type=_positive_numbers, default=(1.0,), help="of the network's normalisation")
    command.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="(default: auto)")
    command.add_argument("--output", metavar="FOLDER", help="of the results (default: results/evaluated/MODEL)")
    command.add_argument("--results", default="results", help="where a key of roco is looked up (default: results)")
    command.set_defaults(run=_evaluate)


def _evaluate(options: argparse.Namespace) -> None:
    from roco.external.evaluation import evaluate
    from roco.external.images import read_images
    from roco.external.settings import attacks_of
    from roco.report.page.evaluation import sentences_of, write_evaluation_page
    from roco.runtime import configure_logging
    from roco.storage.store import Store

    configure_logging()
    folder = Path(options.output or f"results/evaluated/{_folder_name(options.network)}")
    config = attacks_of(options.attacks, images=options.number)
    images = read_images(options.images, image_size=options.image_size)
    evaluation = evaluate(
        options.network,
        images,
        config=config,
        store=Store(folder / "store"),
        mean=options.mean,
        std=options.std,
        device=options.device,
        results=Path(options.results).expanduser(),
    )
    evaluation.save(folder / "evaluation.json")
    write_evaluation_page(evaluation, folder / "evaluation.html")
    print("\n".join(sentences_of(evaluation)))
    print(f"{folder}/evaluation.json and {folder}/evaluation.html")


def _folder_name(network: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", Path(network).name if "/" in network else network)


def _numbers(text: str) -> tuple[float, ...]:
    """A number, or three for the channels."""
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) not in (1, 3):
        raise argparse.ArgumentTypeError(f"expected a number or three as 0.5,0.5,0.5, got '{text}'")
    return numbers


def _positive_numbers(text: str) -> tuple[float, ...]:
    numbers = _numbers(text)
    if min(numbers) <= 0:
        raise argparse.ArgumentTypeError(f"expected positive numbers, got '{text}'")
    return numbers
