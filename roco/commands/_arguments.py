"""Kinds of arguments that several commands take."""

import argparse


def positive(text: str) -> int:
    """A whole number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 on, got '{text}'")
    return int(text)


def widths(text: str) -> int | list[int]:
    """A width, or one for each phase as in `16,32,64`."""
    found = [positive(part.strip()) for part in text.split(",")]
    return found[0] if len(found) == 1 else found


def image_size(text: str) -> int:
    """Pixels a side that a network can be built for."""
    size = positive(text)
    if size < 16:
        raise argparse.ArgumentTypeError(f"expected 16 or more, got '{text}'")
    return size


def add_configfile(parser: argparse.ArgumentParser) -> None:
    """Adds --configfile, with the default that Snakemake takes too."""
    parser.add_argument(
        "--configfile", default="config.yaml", metavar="FILE", help="the study's configuration (default: config.yaml)"
    )
