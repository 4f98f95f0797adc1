"""The meaning of each key of a configuration: the single source of the settings reference and of the JSON schema.

A key in `config.yaml` is explained by its comment there. The other keys, such as settings of attacks that the default
study does not run, are explained by their model's docstring, under `Attributes:`, or by `COMMON`.
"""

import inspect
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

# Keys with the same meaning in every section that does not explain them.
COMMON: Mapping[str, str] = {
    "method": "the method, on which the other keys depend",
    "eps": "the budget, in 1/255",
    "alpha": "the step, in 1/255",
    "steps": "number of steps",
    "restarts": "number of starts",
    "queries": "number of tries for an image",
    "seed": "of what is random here",
    "test_images": "how many test images are used, drawn by class; null: all [10000]",
    "width": "a factor of all channels [1.0]",
    "depth": "layers: 6n+2 for resnet, 6n+4 for densenet [32, 100]",
    "growth": "channels that a layer adds [12]",
    "population": "candidates of a generation",
    "decay": "share of the gradients summed so far that each step keeps",
    "rho": "share of steps that must have helped, or the step is halved",
    "targets": "towards how many of the likeliest wrong classes; for a curve 0 leaves APGD-T out",
    "alpha_max": "the largest weight of the clean image in a step",
    "eta": "how far a step overshoots the boundary",
    "beta": "share of its change that an image keeps on its way back, once it is wrong",
    "share": "of the image that a square covers at first",
    "draws": "number of draws, of which the worst counts",
    "pixels": "at most so many change",
    "attacks": "each with the keys of an `adversarial.l0_attack`; the worst case counts",
    "overshoot": "by what share the way to the boundary is made longer",
    "c": "weight of the wrong class against the distance; where it is searched, the first one",
    "kappa": "the margin, in logits, that is asked for",
    "learning_rate": "Adam's",
    "searches": "number of values of c",
    "patience": "steps without a gain after which an image stops",
    "norm": "the norm in which the perturbation is to be small",
    "radii": "L∞ radii in 1/255, rising",
    "large_eps": "the radius at which no network should hold, in 1/255",
}
RECIPE = "targets.training"


@cache
def default_study() -> Path:
    """The file of the default study, `config.yaml`; an installed package has a copy of it."""
    packaged = Path(__file__).with_name("default.yaml")
    return packaged if packaged.exists() else Path(__file__).parents[2] / "config.yaml"


@cache
def _shipped() -> Mapping[str, str]:
    return comments_of(default_study().read_text(encoding="utf-8"))


def comments_of(configuration: str) -> dict[str, str]:
    """The comments of each key of a YAML text, by its path: those directly above the key, and behind it."""
    comments, above, path = {}, list[str](), list[tuple[int, str]]()
    for line in configuration.splitlines():
        if match := re.match(r"( *)(\w+):(.*)", line):
            depth, name = len(match[1]), match[2]
            path = [*(part for part in path if part[0] < depth), (depth, name)]
            behind = re.findall(r"(?:^| )# (.*)", match[3])
            comments[".".join(part for _, part in path)] = " ".join([*above, *behind])
        comment = re.match(r" *# (.*)", line)
        above = [*above, comment[1]] if comment else []
    return comments


def meaning_at(path: str) -> str:
    """The meaning of the key at a path such as `search.population`, from `config.yaml`; empty if it says nothing.

    Keys of recipes are explained at the first recipe; the others only add the paper's value.
    """
    meaning, (section, _, key) = _shipped().get(path, ""), path.rpartition(".")
    if section.endswith(".training") and not meaning.partition("[")[0]:
        return _shipped().get(f"{RECIPE}.{key}", "").partition("[")[0] + meaning
    return meaning


def description_of(model: type[BaseModel]) -> str:
    """The description of a section, from its model's docstring, as one line."""
    return " ".join((inspect.getdoc(model) or "").partition("\nAttributes:\n")[0].split())


def meanings_of(model: type[BaseModel]) -> dict[str, str]:
    """The meanings of a section's keys, from its models; empty for a key that none explains."""
    explained: dict[str, str] = {}
    for each in (each for each in reversed(model.__mro__) if issubclass(each, BaseModel)):
        attributes = (inspect.getdoc(each) or "").partition("\nAttributes:\n")[2]
        entries = re.findall(r"^    (\w+): (.*(?:\n {5,}.*)*)", attributes, re.MULTILINE)
        explained |= {name: " ".join(meaning.split()) for name, meaning in entries}
    for name, field in model.model_fields.items():
        sections = models_in(field.annotation)
        described = description_of(sections[0]) if len(sections) == 1 else ""
        explained.setdefault(name, COMMON.get(name, described))
    return explained


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The models within a type: a section, the members of a union, the values of a dict."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if annotation is None or isinstance(annotation, str):
        return []
    return [model for part in get_args(annotation) for model in models_in(part)]
