"""Pages of the reference that are made from the code, so that they cannot say anything else than it does."""

import argparse
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from roco.cli import make_parser
from roco.config import StudyConfig

ROOT = Path(__file__).parents[2]

# Keys that mean the same wherever no comment says more.
COMMON = {
    "method": "which of these",
    "eps": "the budget, in 1/255",
    "alpha": "the step, in 1/255",
    "steps": "how many",
    "restarts": "how many starts",
    "queries": "how many tries for an image",
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
    "draws": "how many, of which the worst counts",
    "pixels": "at most so many change",
    "attacks": "each with the keys of an `adversarial.l0_attack`; the worst case counts",
    "overshoot": "by what share the way to the boundary is made longer",
    "c": "weight of the wrong class against the distance; where it is searched, the first one",
    "kappa": "the margin, in logits, that is asked for",
    "learning_rate": "Adam's",
    "searches": "how many values of c",
    "patience": "steps without a gain after which an image stops",
    "norm": "the norm in which the perturbation is to be small",
    "radii": "L∞ radii in 1/255, rising",
    "large_eps": "the radius at which no network should hold, in 1/255",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages; called by MkDocs."""
    for name, text in (("settings", settings_page()), ("commands", commands_page())):
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    return files


def settings_page() -> str:
    """Every key of a configuration with its kind and default, section by section."""
    parts = [
        "# Settings\n",
        "Every key that a configuration can have. A key that is left out has the default, which is the paper's value "
        "where the paper gives one; the meanings are those that stand in `config.yaml`, with the paper's value in "
        "brackets.\n",
    ]
    seen, shipped = set(), meanings((ROOT / "config.yaml").read_text())
    for heading, model, defaults in _sections("", StudyConfig, None):
        if (model, repr(defaults)) not in seen:
            seen.add((model, repr(defaults)))
            parts.append(_section(heading, model, defaults, shipped))
    return "\n".join(parts)


def _sections(
    path: str, model: type[BaseModel], defaults: BaseModel | None
) -> Iterator[tuple[str, type[BaseModel], BaseModel | None]]:
    """All models within one, each with the values that it has by default where it stands."""
    yield path, model, defaults
    for name, field in model.model_fields.items():
        value = _value(name, field, defaults)
        for inner in _models(field.annotation):
            yield from _sections(f"{path}.{name}".lstrip("."), inner, value if isinstance(value, inner) else None)


def _value(name: str, field: FieldInfo, defaults: BaseModel | None) -> Any:
    if defaults is not None:
        return getattr(defaults, name)
    return None if field.is_required() else field.get_default(call_default_factory=True)


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The models within a type: a section, the members of a union, the values of a dict."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if annotation is None or isinstance(annotation, str):
        return []
    return [model for part in get_args(annotation) for model in _models(part)]


def meanings(configuration: str) -> dict[str, str]:
    """What the comments of a configuration say of each key: those right above it, and the one behind it."""
    found, above, path = {}, list[str](), list[tuple[int, str]]()
    for line in configuration.splitlines():
        if match := re.match(r"( *)(\w+):(.*)", line):
            depth, name = len(match[1]), match[2]
            path = [*(part for part in path if part[0] < depth), (depth, name)]
            behind = re.findall(r"(?:^| )# (.*)", match[3])
            found[".".join(part for _, part in path)] = " ".join([*above, *behind])
        comment = re.match(r" *# (.*)", line)
        above = [*above, comment[1]] if comment else []
    return found


def _attributes(model: type[BaseModel]) -> tuple[str, dict[str, str]]:
    """A section's docstring: what it is, and what it and those that it extends say of keys under `Attributes:`."""
    said: dict[str, str] = {}
    for each in (each for each in reversed(model.__mro__) if issubclass(each, BaseModel)):
        text, _, rest = (inspect.getdoc(each) or "").partition("\nAttributes:\n")
        found = re.findall(r"^    (\w+): (.*(?:\n {5,}.*)*)", rest, re.MULTILINE)
        said |= {name: " ".join(meaning.split()) for name, meaning in found}
    return " ".join(text.split()), said


def _meaning(heading: str, name: str, field: FieldInfo, shipped: dict[str, str], said: dict[str, str]) -> str:
    """What a key means; a recipe's keys are explained where the first recipe stands, a section by its model."""
    meaning = shipped.get(f"{heading}.{name}".lstrip("."), "")
    if heading.endswith(".training") and not meaning.partition("[")[0]:
        first = shipped.get(f"targets.training.{name}", "").partition("[")[0]
        meaning = f"{first}{meaning}"
    models = _models(field.annotation)
    section = _attributes(models[0])[0] if len(models) == 1 else ""
    return meaning or said.get(name, COMMON.get(name, section))


def _section(heading: str, model: type[BaseModel], defaults: BaseModel | None, shipped: dict[str, str]) -> str:
    described, said = _attributes(model)
    title = f"`{heading}`" if heading else "The study"
    method = model.model_fields.get("method")
    if method is not None and len(get_args(method.annotation)) == 1:
        title += f": {get_args(method.annotation)[0]}"
    rows = [
        (f"`{name}`", _meaning(heading, name, field, shipped, said), _kind(field), _default(name, field, defaults))
        for name, field in model.model_fields.items()
    ]
    lines = [f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in rows]
    table = ["| key | meaning | kind | default |", "|---|---|---|---|", *lines]
    return "\n".join([f"## {title}\n", f"{described}\n", *table, ""])


def _kind(field: FieldInfo) -> str:
    limits = [_limit(each) for each in field.metadata]
    return ", ".join(filter(None, [_words(field.annotation), *limits]))


def _words(annotation: Any) -> str:
    """A type in words."""
    names = {int: "whole number", float: "number", str: "text", bool: "true or false", type(None): "null"}
    if annotation in names:
        return names[annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return ", ".join(filter(None, [_words(arguments[0]), *(_limit(each) for each in _flat(arguments[1:]))]))
    if origin is list:
        return f"list of {_words(arguments[0])}"
    if origin is dict:
        return f"names with {_words(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "section"
    if all(isinstance(each, str | int) for each in arguments) and arguments:
        return " or ".join(f"`{each}`" for each in arguments)
    return " or ".join(dict.fromkeys(_words(each) for each in arguments)) or getattr(annotation, "__name__", "text")


def _flat(metadata: tuple[Any, ...]) -> list[Any]:
    return [part for each in metadata for part in (each.metadata if isinstance(each, FieldInfo) else [each])]


def _limit(each: Any) -> str:
    signs = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    return ", ".join(f"{words} {getattr(each, name)}" for name, words in signs.items() if hasattr(each, name))


def _default(name: str, field: FieldInfo, defaults: BaseModel | None) -> str:
    if field.is_required() and defaults is None:
        return "has to be given"
    value = _value(name, field, defaults)
    if isinstance(value, BaseModel):
        return "see below"
    if isinstance(value, dict) and any(isinstance(each, BaseModel) for each in value.values()):
        return ", ".join(f"`{each}`" for each in value)
    return f"`{json.dumps(value, default=str)}`"


def commands_page() -> str:
    """What each command of `roco` says with --help."""
    parser = make_parser()
    (subparsers,) = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    parts = ["# Commands\n", "Commands read and show; making results is Snakemake's part.\n"]
    for name, command in subparsers.choices.items():
        command.formatter_class = lambda prog: argparse.HelpFormatter(prog, width=100)
        parts += [f"## roco {name}\n", "```text", command.format_help().rstrip(), "```\n"]
    return "\n".join(parts)
