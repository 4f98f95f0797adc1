"""The cost of a study: networks trained, device time, and the arithmetic of their training."""

import pandas as pd

from roco.report.numbers.format import whole
from roco.report.read.collect import PLACE, REFERENCES, Study, rows_of


def totals(study: Study, *, train_images: int | None) -> list[tuple[str, str]]:
    """Names and values as text, in the order of the page.

    Args:
        study: the study.
        train_images: images of an epoch of the search; without it the arithmetic is left out.
    """
    # A network of several searches counts once, even if two jobs trained it at the same moment.
    evaluations = study.evaluations.drop_duplicates(["key", "seed", "device"])
    retrained = study.networks.drop_duplicates(PLACE)
    lines = [
        ("Networks trained in the searches", whole(len(evaluations))),
        ("of these failed", whole(int((evaluations["status"] == "failed").sum()))),
        ("Networks retrained", whole(int((retrained["search"] != REFERENCES).sum()))),
        ("Published networks retrained", whole(int((retrained["search"] == REFERENCES).sum()))),
        *([("Retrainings of them all", whole(len(study.networks)))] if len(study.networks) > len(retrained) else []),
        ("Target networks trained", whole(len(study.targets))),
        (
            "Adversarial images",
            whole(int(study.cells["successes"].sum())) + f" from {whole(int(study.cells['attacked'].sum()))} attacks",
        ),
    ]
    for device, part in evaluations.groupby("device", sort=True):
        lines.append((f"Device time of the searches' trainings on {device}", duration(float(part["seconds"].sum()))))
    if len(study.trainings):
        lines.append(("Device time of the retrainings", duration(float(study.trainings["seconds"].sum()))))
    if (adversarial := study.adversarial) is not None:
        lines.append(("Adversarial retrainings", whole(len(adversarial.networks))))
        lines.append(("Device time of these", duration(float(adversarial.trainings["seconds"].sum()))))
    lines.append(("Device time of the targets' trainings", duration(float(study.targets["seconds"].sum()))))
    if train_images is not None:
        lines.append(
            ("Multiply-adds of the searches' trainings", f"about {scientific(_arithmetic(evaluations, train_images))}")
        )
    return lines


def _arithmetic(evaluations: pd.DataFrame, train_images: int) -> float:
    """Multiply-adds of all trainings; the backward pass costs about two forward passes."""
    trained = evaluations[evaluations["status"] == "ok"]
    return sum(3.0 * float(row.flops) * float(row.epochs) * train_images for row in rows_of(trained))


def scientific(value: float) -> str:
    """A large number in scientific notation: 2.1 × 10¹²."""
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa} × 10" + str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def duration(seconds: float) -> str:
    """Seconds as text in hours, minutes or seconds."""
    if seconds >= 5400:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 60:.1f} min" if seconds >= 90 else f"{seconds:.0f} s"
