"""Kinds of arguments that several commands take."""

import argparse


def positive(text: str) -> int:
    """A whole number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 on, got '{text}'")
    return int(text)


def widths(text: str) -> int | list[int]:
    """A width, or a width for each phase as in `16,32,64`."""
    numbers = [positive(part.strip()) for part in text.split(",")]
    return numbers[0] if len(numbers) == 1 else numbers


def image_size(text: str) -> int:
    """A height and width in pixels that a network can be built for."""
    size = positive(text)
    if size < 16:
        raise argparse.ArgumentTypeError(f"expected 16 or more, got '{text}'")
    return size


def add_configfile(parser: argparse.ArgumentParser) -> None:
    """Adds --configfile, with Snakemake's default."""
    parser.add_argument(
        "--configfile", default="config.yaml", metavar="FILE", help="the study's configuration (default: config.yaml)"
    )
