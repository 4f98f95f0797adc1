"""The JSON schema of a configuration: the file that editors read is what the models say, and explains every key."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from roco.cli import main
from roco.config import check_config
from roco.config.schema import schema

ROOT = Path(__file__).parents[2]
FILE = ROOT / "config" / "schema.json"
SHIPPED = [ROOT / "config.yaml", *sorted((ROOT / "configs").glob("*.yaml"))]
MINIMAL: dict[str, Any] = {"experiment": "a", "dataset": {"name": "digits"}}


def keys_of(node: Any, above: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every key with its schema, those within unions and lists too."""
    if isinstance(node, list):
        for each in node:
            yield from keys_of(each, above)
    elif isinstance(node, dict):
        for name, described in node.get("properties", {}).items():
            path = f"{above}.{name}".lstrip(".")
            yield path, described
            yield from keys_of(described, path)
        yield from keys_of([value for key, value in node.items() if key not in ("properties", "default")], above)


def is_valid(configuration: dict[str, Any]) -> bool:
    return Draft7Validator(schema()).is_valid(configuration)


def test_the_file_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert capsys.readouterr().out == FILE.read_text(), "run: roco schema > config/schema.json"


def test_it_is_a_schema() -> None:
    Draft7Validator.check_schema(schema())


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_configurations_name_it_and_fit(path: Path) -> None:
    text = path.read_text()
    named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", text)
    assert named is not None
    assert (path.parent / named[1]).resolve() == FILE
    assert list(Draft7Validator(schema()).iter_errors(yaml.safe_load(text))) == []


def test_every_key_is_explained() -> None:
    keys = list(keys_of(schema()))
    assert len(keys) > 200
    # In brackets stands the paper's value, which explains nothing.
    assert [path for path, key in keys if not re.sub(r"\[.*\]", "", key.get("description", "")).strip()] == []


def test_defaults_are_those_of_each_section() -> None:
    keys, study = dict(keys_of(schema())), check_config(MINIMAL)
    for section in ("targets", "evaluation", "retraining"):
        recipe = getattr(study, section).training.model_dump()
        assert {name: keys[f"{section}.training.{name}"]["default"] for name in recipe} == recipe


@pytest.mark.parametrize(
    "change",
    [
        {"search": {"searches": {"a": ["error", "flops"], "b": {"objectives": ["error"], "method": "random"}}}},
        {"robustness": {"attacks": {"pgd": {"method": "pgd", "eps": "8/255", "alpha": 2, "steps": 3}}}},
        {"targets": {"lenet": None, "training": {"epochs": 3}}},
        {"retraining": {"channels": [4, 8, 16], "networks": "all"}, "evaluation": {"channels": 4}},
        {"robustness": {"curve": None, "checks": {}}},
    ],
)
def test_what_the_models_take_is_valid(change: dict[str, Any]) -> None:
    check_config(MINIMAL | change)
    assert is_valid(MINIMAL | change)


@pytest.mark.parametrize(
    "change",
    [
        {"serch": {}},
        {"dataset": {"name": "mnist"}},
        {"search": {"population": 1}},
        {"search": {"population": "6"}},
        {"robustness": {"attacks": {"a": {"method": "magic"}}}},
        {"robustness": {"attacks": {"a": {"method": "fgsm", "eps": 8.0, "steps": 3}}}},
        {"robustness": {"attacks": {"a": {"method": "fgsm", "eps": "0.031"}}}},
    ],
)
def test_what_the_models_refuse_is_marked(change: dict[str, Any]) -> None:
    assert is_valid(MINIMAL)
    assert not is_valid(MINIMAL | change)
