"""The rows of networks, attacks, curves, smallest perturbations and flags in the contents of robustness.json."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from roco.report.numbers.shares import from_marks

Row = dict[str, Any]


def network_row(slot: Mapping[str, Any]) -> Row:
    """The row of a retraining. Counts are kept beside fractions, because intervals need them."""
    if isinstance(slot.get("channels"), list):
        # A cell holds one value.
        slot = {**slot, "channels": ", ".join(map(str, slot["channels"]))}
    if slot["status"] != "ok":
        return dict(slot)
    test_right, sources = from_marks(slot["right_images"]), slot["adversarial_sources"]
    sizes, right, noise = (np.array(sources[name], dtype=np.int64) for name in ("images", "right", "noise_right"))
    images, correct = int(sizes.sum()), int(right.sum())
    return {
        **slot,
        "test_correct": int(test_right.sum()),
        "test_accuracy": 1.0 - slot["test_error"],
        "test_right": test_right,
        "adversarial_images": images,
        "adversarial_correct": correct,
        "adversarial_accuracy": correct / images if images else None,
        "adversarial_sizes": sizes,
        "adversarial_right": right,
        "adversarial_before": test_right[np.array(sources["source_index"], dtype=np.int64)],
        "adversarial_noise_right": noise,
        "white_box_images": slot["white_box"]["images"],
        "clean_accuracy": slot["white_box"]["clean_accuracy"],
    }


def attack_rows(slots: Iterable[Mapping[str, Any]]) -> list[Row]:
    """A row for each retraining and white-box attack."""
    return [
        {**place, **found, "attack": name, "images": white_box["images"], "right": from_marks(found["robust_images"])}
        for place, white_box in _attacked(slots)
        for name, found in white_box["attacks"].items()
    ]


def curve_rows(slots: Iterable[Mapping[str, Any]]) -> list[Row]:
    """A row for each retraining and radius in 1/255; radius 0 is the accuracy without an attack."""
    rows: list[Row] = []
    for place, white_box in _attacked(slots):
        if curve := white_box.get("curve"):
            images = curve["images"]
            marks = [white_box["right_images"], *curve["robust_images"]]
            for radius, found in zip([0.0, *curve["radii"]], map(from_marks, marks), strict=True):
                correct = int(found.sum())
                counts = {"images": images, "correct": correct, "accuracy": correct / images, "right": found}
                rows.append({**place, "radius": radius, **counts})
    return rows


def perturbation_rows(slots: Iterable[Mapping[str, Any]]) -> list[Row]:
    """A row for each retraining and norm, with the distance of each image: 0 if it was wrong from the start."""
    return [
        {
            **place,
            "norm": norm,
            "distances": tuple(float("inf") if one is None else one for one in found["per_image"]),
        }
        for place, white_box in _attacked(slots)
        for norm, found in white_box.get("smallest_perturbations", {}).items()
    ]


def flag_rows(slots: Iterable[Mapping[str, Any]]) -> list[Row]:
    """A row for each retraining and flag."""
    return [
        {**place, "flag": flag["name"], "raised": flag["raised"], "detail": flag["detail"]}
        for place, white_box in _attacked(slots)
        for flag in white_box.get("flags", [])
    ]


def _attacked(slots: Iterable[Mapping[str, Any]]) -> Iterable[tuple[Row, Mapping[str, Any]]]:
    for slot in slots:
        if slot["status"] == "ok":
            yield {name: slot[name] for name in ("search", "seed", "slot", "training_seed", "key")}, slot["white_box"]
