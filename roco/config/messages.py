"""Turns pydantic's errors into one line: the key, what was expected, and what was given."""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError

_EXPECTED = {
    "int_type": "a whole number",
    "int_parsing_size": "a smaller number",
    "too_long": "at most {max_length} entries",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "model_attributes_type": "keys and values",
    "missing": "a value",
    "invalid_key": "text as a key",
    "greater_than": "more than {gt:.12g}",
    "greater_than_equal": "at least {ge:.12g}",
    "less_than": "less than {lt:.12g}",
    "less_than_equal": "at most {le:.12g}",
    "literal_error": "{expected}",
    "string_pattern_mismatch": "text that matches {pattern}",
    "string_too_short": "at least {min_length} character",
    "too_short": "at least {min_length} entry",
}


LONGEST = 400


def one_line(error: ValidationError, model: type[BaseModel]) -> str:
    """The first problem, with the number of others.

    Args:
        error: from `model`, for a configuration.
        model: the root of the configuration, whose sections say which keys there are.
    """
    problems: dict[str, list[str]] = {}
    for problem in error.errors(include_url=False):
        key, message = _describe(problem, model)
        problems.setdefault(key, []).append(message)
    # For a union of a value and a list, the error inside the list says more than "not a value".
    deepest = {key: m for key, m in problems.items() if not any(other.startswith(f"{key}.") for other in problems)}
    (key, messages), *others = deepest.items()
    more = f" (and {len(others)} more)" if others else ""
    line = " ".join(f"{key}{': ' if key else ''}{_joined(messages)}{more}".split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 3]}..."


def _joined(messages: list[str]) -> str:
    """Joins several problems of one key, which come from the members of a union: each names a type that is allowed."""
    pattern = re.compile(r"expected (.*), got (.*)")
    parts = [pattern.fullmatch(message) for message in messages]
    if len(messages) == 1 or None in parts:
        return messages[0]
    wanted = dict.fromkeys(part.group(1) for part in parts if part)
    return f"expected {' or '.join(wanted)}, got {parts[0].group(2) if parts[0] else ''}"


def _describe(problem: Mapping[str, Any], model: type[BaseModel]) -> tuple[str, str]:
    keys, section = _locate(problem["loc"], model)
    key, kind, context = ".".join(keys), problem["type"], problem.get("ctx", {})
    given = "nothing" if kind == "missing" else _shown(problem["input"])
    if kind == "extra_forbidden":
        return key, f"unknown key; expected one of {', '.join(_keys(section))}"
    if kind == "union_tag_invalid":
        return key, f"unknown method {_shown(context['tag'])}, expected one of {context['expected_tags']}"
    if kind == "union_tag_not_found":
        return f"{key}.method", f"expected one of {', '.join(_tags(section))}, got nothing"
    if kind == "value_error":
        # A message of roco's own validators may begin with the wrong key if pydantic cannot know it.
        own_key, message = re.findall(r"^(?:([a-z_0-9.]+): )?(.*)", str(context["error"]), re.DOTALL)[0]
        return ".".join(filter(None, [*keys, own_key])), message
    if kind in _EXPECTED:
        return key, f"expected {_EXPECTED[kind].format(**context)}, got {given}{_hint(problem)}"
    message = problem["msg"]
    return key, f"{message[0].lower()}{message[1:]}, got {given}"


def _shown(value: object) -> str:
    """A value as it stands in YAML, shortened if it is long."""
    if isinstance(value, Mapping):
        return "keys and values"
    if value is None or isinstance(value, bool):
        return "nothing" if value is None else str(value).lower()
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _hint(problem: Mapping[str, Any]) -> str:
    text = problem["input"]
    if problem["type"] == "float_type" and isinstance(text, str) and re.fullmatch(r"[-+]?\d+[eE][-+]?\d+", text):
        return "; in YAML a number with an exponent needs a point: 1.0e-3"
    return ""


def _locate(location: Iterable[int | str], model: type[BaseModel]) -> tuple[list[str], list[Any]]:
    """The keys of a location as a user wrote them, and the types in which its last key was looked up.

    Pydantic's labels between the keys (the tag of a union's member, `[key]`, `constrained-int`) are left out, because
    no section has such a key; an unknown key at the end is kept.
    """
    parts, keys, types = list(location), list[str](), list[Any]([model])
    for position, part in enumerate(parts):
        inside = [kind for option in types for kind in _inside(option, part)]
        if inside:
            keys.append(str(part))
            types = inside
        elif tagged := [option for option in types if part in _tags([option])]:
            types = tagged
        elif position == len(parts) - 1 and part != "[key]" and any(_is_section(option) for option in types):
            keys.append(str(part))
    return keys, types


def _inside(option: Any, part: int | str) -> list[Any]:
    """The types that a key or index of a section, dict or list can have; none if there is no such key."""
    if _is_section(option):
        field = option.model_fields.get(part)
        return [] if field is None else _options(field.annotation)
    origin, arguments = get_origin(option), get_args(option)
    if (origin is dict and part != "[key]") or (origin is list and isinstance(part, int)):
        return _options(arguments[-1])
    return []


def _options(annotation: Any) -> list[Any]:
    """The members of a union without their annotations; another type is its own only member."""
    if get_origin(annotation) is Annotated:
        return _options(get_args(annotation)[0])
    members = () if get_origin(annotation) in (dict, list, Literal) else get_args(annotation)
    return [option for member in members for option in _options(member)] or [annotation]


def _is_section(option: Any) -> bool:
    return isinstance(option, type) and issubclass(option, BaseModel)


def _keys(types: list[Any]) -> list[str]:
    return [key for option in types if _is_section(option) for key in option.model_fields]


def _tags(types: list[Any]) -> list[str]:
    fields = [option.model_fields.get("method") for option in types if _is_section(option)]
    return [tag for field in fields if field is not None for tag in get_args(field.annotation)]
