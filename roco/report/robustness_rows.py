"""The rows of curves, smallest perturbations and flags in the contents of robustness.json."""

from collections.abc import Iterable, Mapping
from typing import Any

Row = dict[str, Any]


def curve_rows(slots: Iterable[Mapping[str, Any]]) -> list[Row]:
    """A row for each retraining and radius in 1/255; radius 0 is the accuracy without an attack."""
    rows: list[Row] = []
    for place, white_box in _attacked(slots):
        if curve := white_box.get("curve"):
            images = curve["images"]
            clean = round(white_box["clean_accuracy"] * images)
            correct = [clean, *(held.count("1") for held in curve["robust_images"])]
            for radius, count in zip([0.0, *curve["radii"]], correct, strict=True):
                rows.append({**place, "radius": radius, "images": images, "correct": count, "accuracy": count / images})
    return rows


def perturbation_rows(slots: Iterable[Mapping[str, Any]]) -> list[Row]:
    """A row for each retraining and norm, with the distances of the images that were right to begin with."""
    return [
        {
            **place,
            "norm": norm,
            # An image that was wrong from the start is at no distance.
            "distances": tuple(float("inf") if one is None else one for one in found["per_image"] if one != 0),
        }
        for place, white_box in _attacked(slots)
        for norm, found in white_box.get("smallest_perturbations", {}).items()
    ]


def source_rows(slots: Iterable[Mapping[str, Any]]) -> list[Row]:
    """A row for each retraining, with what became of the adversarial set by the test images that it was made from."""
    rows: list[Row] = []
    for slot in slots:
        if slot["status"] == "ok":
            sources = {name: tuple(found) for name, found in slot["adversarial_sources"].items()}
            before = tuple(int(slot["right_images"][index]) for index in sources["source_index"])
            place = {name: slot[name] for name in ("search", "seed", "slot", "training_seed", "flops")}
            rows.append({**place, **sources, "right_before": before})
    return rows


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
