"""Every key of the default configuration, changed in many ways: taken, or refused in one line that names the key."""

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from roco.config import StudyConfig, check_config, load_config, read_yaml
from roco.errors import ConfigError

REPOSITORY = Path(__file__).parents[2]
# It has every key.
DEFAULT = REPOSITORY / "config.yaml"
MISSING = object()
# Wrong types, out of any range, empty, huge, not ASCII, several lines, wildcards, paths, code.
VALUES = (
    *(MISSING, None, True, -1, 0, 1, 7, 10**9, 10**30, -0.5, 0.5, 1e308, float("nan"), float("inf")),
    *("", "x", "ünïcödé 漢字", "a\nb", "{seed}", "../..", "/", "x" * 1000, "0", "1e-3", "!!python/name:os.system"),
    *([], [[]], [0], [1, 1], ["error", "error"], [None], list(range(2000)), {}, {"x": {}}, {1: 2}, {"": None}),
)
# A change of the first may make the second wrong.
CONTRADICTIONS = {
    "space.phases": ("retraining.references", "retraining.channels", "dataset.image_size"),
    "space.nodes": ("retraining.references",),
    "dataset.name": ("dataset.path",),
    **dict.fromkeys(("search", "search.searches"), ("retraining.searches",)),
    **dict.fromkeys(("search.searches.baseline", "search.searches.roco"), ("retraining.searches",)),
}


def keys_of(section: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of all keys, those of sections too."""
    for key, value in section.items():
        yield (*above, key)
        if isinstance(value, dict):
            yield from keys_of(value, (*above, key))


def changed(raw: dict[str, Any], keys: tuple[str, ...], value: object) -> dict[str, Any]:
    raw = copy.deepcopy(raw)
    section = raw
    for key in keys[:-1]:
        section = section[key]
    if value is MISSING:
        del section[keys[-1]]
    else:
        section[keys[-1]] = value
    return raw


def check_refusal(message: str, source: str, key: str) -> None:
    """One short line: source, a key that has to do with the changed one, what was expected and what came."""
    assert "\n" not in message
    assert len(message) < 500
    found = re.match(rf"{re.escape(source)}: (\S+?): (expected .*, got .*|unknown .*expected one of .*)", message)
    assert found, message
    named = found[1]
    related = f"{named}.".startswith(f"{key}.") or f"{key}.".startswith(f"{named}.")
    assert related or named in CONTRADICTIONS.get(key, ()), f"{key}: {message}"


def test_any_value_at_any_key_is_taken_or_refused_by_name() -> None:
    raw, taken, refused = read_yaml(DEFAULT), 0, 0
    for keys in keys_of(raw):
        for value in VALUES:
            try:
                config = check_config(changed(raw, keys, value), source="study.yaml")
            except ConfigError as error:
                check_refusal(str(error), "study.yaml", ".".join(keys))
                refused += 1
            else:
                assert StudyConfig.model_validate(config.model_dump()) == config
                taken += 1
    assert taken > 300
    assert refused > 1500


def test_any_key_that_stands_twice_is_refused_by_name(tmp_path: Path) -> None:
    lines = DEFAULT.read_text().splitlines()
    numbers = [number for number, line in enumerate(lines) if re.match(r" *[a-z0-9_.]+:", line)]
    assert len(numbers) > 70
    for number in numbers:
        indent, key = re.match(r"( *)([a-z0-9_.]+):", lines[number]).groups()
        doubled = [*lines[: number + 1], *lines[number + 1 :]]
        doubled.insert(number, f"{indent}{key}: 1")
        (tmp_path / "study.yaml").write_text("\n".join(doubled))
        with pytest.raises(ConfigError) as caught:
            load_config(tmp_path / "study.yaml")
        assert str(caught.value) == (
            f"{tmp_path / 'study.yaml'}: {key}: expected once, got twice (lines {number + 1} and {number + 2})"
        )


def test_keys_may_be_merged_and_then_changed(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(
        "experiment: a\ndataset: {name: digits}\n"
        "evaluation:\n  training: &recipe {epochs: 2, flip: false}\n"
        "retraining:\n  training: {<<: *recipe, epochs: 4}\n"
    )
    config = load_config(tmp_path / "study.yaml")
    assert (config.retraining.training.epochs, config.retraining.training.flip) == (4, False)
