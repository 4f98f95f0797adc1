"""The page of `roco evaluate`: a network under the protocol, in a file that loads nothing."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import yaml

from roco.attacks.white_box import title_of
from roco.attacks.white_box.autoattack import AutoAttack
from roco.external.evaluation import Evaluation
from roco.files import atomic
from roco.report.figures.small_chart import small_chart
from roco.report.numbers.format import NO_VALUE, percent, percent_interval
from roco.report.numbers.shares import from_marks
from roco.report.numbers.statistics import network_interval
from roco.report.page.page import template
from roco.report.tables.flags import MEANINGS, meaning_of
from roco.report.tables.table import Table, page_table


def write_evaluation_page(evaluation: Evaluation, path: str | Path) -> None:
    """Writes the page of an evaluation."""
    text = template("evaluation.html.j2").render(
        evaluation=evaluation,
        sentences=sentences_of(evaluation),
        tables=[table for table in _tables(evaluation) if table.rows],
        chart=_chart(evaluation),
        made=_made(evaluation),
        settings=yaml.safe_dump(evaluation.settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True),
    )
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def sentences_of(evaluation: Evaluation) -> list[str]:
    """The result in sentences: clean accuracy, accuracies under attack, raised flags."""
    box = evaluation.white_box
    lines = [f"Of {box.images} images {_share(box.right_images)} % are right without an attack."]
    left = [
        f"{percent(box.attacks[name].accuracy)} % under {title_of(name)} ({_budget(evaluation, name)})"
        for name in evaluation.settings.with_budget
    ]
    lines += [f"Right under attack: {'; '.join(left)}."] if left else []
    raised = [flag for flag in evaluation.flags if flag.raised]
    if raised:
        meanings = "; ".join(MEANINGS.get(flag.name, flag.name) for flag in raised)
        lines.append(f"Do not trust these accuracies as they stand: {meanings}.")
    elif box.flags:
        lines.append("No sanity flag is raised.")
    else:
        lines.append("The attacks were not checked for gradient masking.")
    return lines


def _share(marks: str) -> str:
    counts = from_marks(marks)[np.newaxis]
    return percent_interval(*network_interval(counts, np.ones(counts.shape[1])).bounds)


def _budget(evaluation: Evaluation, name: str) -> str:
    settings = evaluation.settings.attacks[name].model_dump()
    if "eps" in settings:
        return f"L∞ {settings['eps']:g}/255"
    return f"{settings['pixels']} pixels" if "pixels" in settings else "no budget"


def _tables(evaluation: Evaluation) -> list[Table]:
    return [make(evaluation) for make in (_attacks, _autoattack, _curve, _distances, _flags)]


def _attacks(evaluation: Evaluation) -> Table:
    rows = [("none", "", _share(evaluation.white_box.right_images), NO_VALUE)]
    for name, attack in evaluation.white_box.attacks.items():
        far = NO_VALUE if attack.median_linf is None else f"{255 * attack.median_linf:.3g}"
        rows.append((title_of(name), _budget(evaluation, name), _share(attack.robust_images), far))
    header = ("Attack", "Budget", "Accuracy, %", "Median L∞ distance, 1/255")
    return page_table("attacks", "Accuracy under each attack", header, rows)


def _autoattack(evaluation: Evaluation) -> Table:
    """The accuracy after each of the four attacks, as in RobustBench."""
    attacks = {
        name: attack
        for name, attack in evaluation.white_box.attacks.items()
        if isinstance(evaluation.settings.attacks[name], AutoAttack)
    }
    rows = []
    for name, attack in attacks.items():
        # Some attacks see the first images alone.
        total = len(attack.robust_images)
        left = evaluation.white_box.right_images[:total].count("1")
        cells = [percent(left / total, digits=2)]
        for count in attack.found_by.values():
            left -= count
            cells.append(percent(left / total, digits=2))
        rows.append((_budget(evaluation, name), *cells))
    stages = [title_of(method) for method in next(iter(attacks.values())).found_by] if attacks else []
    header = ("Budget", "Clean, %", *(f"after {stage}" for stage in stages))
    title = "AutoAttack, standard version: accuracy in %, the last column is RobustBench's"
    return page_table("autoattack", title, header, rows)


def _curve(evaluation: Evaluation) -> Table:
    curve = evaluation.white_box.curve
    if not curve:
        return page_table("curve", "", (), [])
    header = ("L∞ radius, 1/255", *(f"{radius:g}" for radius in curve.radii))
    rows = [("Accuracy, %", *(percent(accuracy) for accuracy in curve.accuracy))]
    return page_table("curve", "Images that no attack fools within a radius", header, rows)


def _chart(evaluation: Evaluation) -> str:
    box = evaluation.white_box
    if not box.curve:
        return ""
    points = [(0.0, box.clean_accuracy), *zip(box.curve.radii, box.curve.accuracy, strict=True)]
    label = "Accuracy against the radius"
    return small_chart([("", points)], {"": "var(--accent)"}, x_title="L∞ radius, in 1/255", label=label)


def _distances(evaluation: Evaluation) -> Table:
    units: Mapping[str, tuple[str, float]] = {"l2": ("L2, in [0, 1] units", 1.0), "linf": ("L∞, in 1/255", 255.0)}
    rows = []
    for norm, (title, times) in units.items():
        smallest = evaluation.white_box.smallest_perturbations.get(norm)
        if smallest:
            rows.append((title, NO_VALUE if smallest.median is None else f"{times * smallest.median:.3g}"))
    return page_table("distances", "Median of the smallest perturbations by any attack", ("Norm", "Distance"), rows)


def _flags(evaluation: Evaluation) -> Table:
    ordered = sorted(evaluation.flags, key=lambda flag: not flag.raised)
    rows = [(meaning_of(flag.name), "RAISED" if flag.raised else "not raised", flag.detail) for flag in ordered]
    return page_table("flags", "Sanity flags", ("Flag", "State", "Numbers"), rows)


def _made(evaluation: Evaluation) -> dict[str, str]:
    versions = ", ".join(f"{name} {version}" for name, version in evaluation.versions.items())
    normalisation = f"mean {_listed(evaluation.mean)}, standard deviation {_listed(evaluation.std)}"
    plain = evaluation.mean == (0.0,) and evaluation.std == (1.0,)
    return {
        "Network": f"{evaluation.network} ({evaluation.origin}), {evaluation.classes} classes",
        "Its SHA-256": evaluation.sha256,
        "Normalisation": "none: it takes images in [0, 1]" if plain else normalisation,
        "Images": evaluation.images,
        "Their SHA-256": evaluation.images_sha256,
        "Device": evaluation.device,
        "Versions": versions,
    }


def _listed(numbers: tuple[float, ...]) -> str:
    return ", ".join(f"{number:g}" for number in numbers)
