"""Attacks with fewer steps, and a protocol of attacks in parts, for slices of a study."""

import re
from typing import TypeVar

from roco.attacks.settings import RobustnessConfig
from roco.settings import Section

# The fewest images of a slice on a CPU, and the fewest steps or queries of an attack, unless it has fewer anyway.
FEWEST = 4

SomeSection = TypeVar("SomeSection", bound=Section)


def attack_parts(config: RobustnessConfig) -> dict[str, RobustnessConfig]:
    """A protocol's attacks as separate protocols, by name."""
    nothing: dict[str, object] = {
        "attacks": {},
        "curve": None,
        "smallest_perturbations": {},
        "checks": None,
        "fewer": None,
    }
    parts: dict[str, dict[str, object]] = {name: {"attacks": {name: each}} for name, each in config.attacks.items()}
    for name, attack in config.smallest_perturbations.items():
        parts[f"smallest {name}"] = {"smallest_perturbations": {name: attack}}
    parts |= {name: {name: section} for name in ("curve", "checks") if (section := getattr(config, name))}
    return {
        name: config.model_copy(
            update={**nothing, "images": config.images_for(name if "attacks" in part else None), **part}
        )
        for name, part in parts.items()
    }


def shortened(section: SomeSection, share: float) -> SomeSection:
    """The settings of an attack or a protocol, with a share of all `steps` and `queries`."""

    def shorter(name: str, value: object) -> object:
        if isinstance(value, int) and name in ("steps", "queries"):
            return max(min(value, FEWEST), round(share * value))
        if isinstance(value, dict):
            return {key: shorter("", each) for key, each in value.items()}
        if isinstance(value, list):
            return [shorter("", each) for each in value]
        return shortened(value, share) if isinstance(value, Section) else value

    return section.model_copy(update={name: shorter(name, value) for name, value in section})


def longest(section: Section) -> int:
    """The largest number of steps or queries in the settings of an attack or a protocol; at least `FEWEST`."""
    return max([FEWEST, *map(int, re.findall(r'"(?:steps|queries)":(\d+)', section.model_dump_json()))])
