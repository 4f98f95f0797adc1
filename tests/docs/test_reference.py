"""The reference is what the code says, and the commands in the pages are commands that there are."""

import importlib.util
import re
import shlex
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from roco.cli import make_parser

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference_pages", ROOT / "docs" / "hooks" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sections_of(page: str) -> dict[str, dict[str, str]]:
    """The default of each key, by section."""
    found = {}
    for part in page.split("\n## ")[1:]:
        heading, *rest = part.splitlines()
        rows = [line.strip("| ").split(" | ") for line in rest if line.startswith("| `")]
        found[heading.replace("`", "")] = {row[0].strip("`"): row[-1].strip("`") for row in rows}
    return found


def test_every_key_of_the_default_study_is_on_the_page(reference: ModuleType) -> None:
    sections = sections_of(reference.settings_page())
    raw = yaml.safe_load((ROOT / "config.yaml").read_text())
    assert set(raw) == set(sections["The study"])
    for section, content in raw.items():
        if isinstance(content, dict):
            assert set(content) <= set(sections[section]), section
    assert set(raw["retraining"]["training"]) <= set(sections["retraining.training"])


def test_every_command_is_on_its_page(reference: ModuleType) -> None:
    page = reference.commands_page()
    for command in ("describe", "front", "compare", "plan", "status"):
        assert f"\n## roco {command}\n" in page
        assert f"usage: roco {command} " in page


def command_lines() -> list[tuple[str, str]]:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    blocks = [
        (page.name, block)
        for page in pages
        for block in re.findall(r"```(?:sh|console)\n(.*?)```", page.read_text(), re.DOTALL)
    ]
    lines = [(name, line.removeprefix("$ ")) for name, block in blocks for line in block.splitlines()]
    return [(name, line) for name, line in lines if line.startswith("roco ")]


def test_pages_name_commands_that_can_be_parsed() -> None:
    lines = command_lines()
    assert len(lines) > 5
    for name, line in lines:
        try:
            options = make_parser().parse_args(shlex.split(line, comments=True)[1:])
        except SystemExit:
            pytest.fail(f"{name}: {line}")
        assert callable(options.run)


def test_files_that_pages_name_are_there() -> None:
    named = re.compile(r"`((?:roco|rules|configs|profiles|tests)/[\w./]+\.(?:py|smk|yaml))`")
    for page in (ROOT / "docs").rglob("*.md"):
        # Numbered steps name files that the reader is to write.
        text = re.sub(r"^\*\*\d\. .*$", "", page.read_text(), flags=re.MULTILINE)
        for name in named.findall(text):
            assert (ROOT / name).exists(), f"{page.name}: {name}"
