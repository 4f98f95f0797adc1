"""Pages of the reference that are made from the code, so that they cannot say anything else than it does."""

import argparse
import json
from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from roco.cli import make_parser
from roco.config import StudyConfig
from roco.config.meanings import description_of, meaning_at, meanings_of, models_in


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages; called by MkDocs."""
    for name, text in (("settings", settings_page()), ("commands", commands_page())):
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    return files


def settings_page() -> str:
    """Every key of a configuration with its kind and default, section by section."""
    parts = [
        "# Settings\n",
        "Every key that a configuration can have. A key that is left out has the default, in most cases the "
        "paper's value; the meanings are those that stand in `config.yaml`, with the paper's value in "
        "brackets.\n",
        "Editors with a YAML language server complete and check these keys: the first line of a configuration names "
        "the schema, `# yaml-language-server: $schema=config/schema.json` (`roco schema` prints it).\n",
    ]
    seen = set()
    for heading, model, defaults in _sections("", StudyConfig, None):
        if (model, repr(defaults)) not in seen:
            seen.add((model, repr(defaults)))
            parts.append(_section(heading, model, defaults))
    return "\n".join(parts)


def _sections(
    path: str, model: type[BaseModel], defaults: BaseModel | None
) -> Iterator[tuple[str, type[BaseModel], BaseModel | None]]:
    """All models within one, each with the values that it has by default where it stands."""
    yield path, model, defaults
    for name, field in model.model_fields.items():
        value = _value(name, field, defaults)
        for inner in models_in(field.annotation):
            yield from _sections(f"{path}.{name}".lstrip("."), inner, value if isinstance(value, inner) else None)


def _value(name: str, field: FieldInfo, defaults: BaseModel | None) -> Any:
    if defaults is not None:
        return getattr(defaults, name)
    return None if field.is_required() else field.get_default(call_default_factory=True)


def _section(heading: str, model: type[BaseModel], defaults: BaseModel | None) -> str:
    meanings = meanings_of(model)
    title = f"`{heading}`" if heading else "The study"
    method = model.model_fields.get("method")
    if method is not None and len(get_args(method.annotation)) == 1:
        title += f": {get_args(method.annotation)[0]}"
    rows = [
        (
            f"`{name}`",
            meaning_at(f"{heading}.{name}".lstrip(".")) or meanings[name],
            _kind(field),
            _default(name, field, defaults),
        )
        for name, field in model.model_fields.items()
    ]
    lines = [f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in rows]
    table = ["| key | meaning | kind | default |", "|---|---|---|---|", *lines]
    return "\n".join([f"## {title}\n", f"{description_of(model)}\n", *table, ""])


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
