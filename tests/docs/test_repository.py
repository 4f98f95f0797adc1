"""Files that other programs and people read about the repository: they agree with the package."""

import re
from pathlib import Path

import pytest
import yaml

from roco import __version__
from roco.config import StudyConfig

ROOT = Path(__file__).parents[2]


def test_the_citation_names_this_version_and_the_paper() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == __version__
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    (paper,) = citation["references"]
    assert paper["authors"][0]["family-names"] == "Geraeinejad"


def test_the_changelog_has_this_version() -> None:
    assert f"\n## {__version__}\n" in (ROOT / "CHANGELOG.md").read_text()


def test_contributing_names_what_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    text = (ROOT / "CONTRIBUTING.md").read_text()
    targets = [line.split()[1] for line in text.splitlines() if line.startswith("make ")]
    assert targets
    assert all(f"\n{target}:" in makefile for target in targets)
    named = [
        cell for line in text.splitlines() if line.startswith("| `") for cell in line.split("|")[1].split("`")[1::2]
    ]
    assert named
    assert all((ROOT / name).exists() for name in named)


def test_the_workflow_catalogue_can_read_its_file() -> None:
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert set(usage["software-stack-deployment"]) == {"conda", "apptainer", "apptainer+conda"}
    assert usage["mandatory-flags"]["flags"] in (ROOT / "Makefile").read_text()


def test_the_catalogues_page_explains_each_section_and_names_what_is_there() -> None:
    text = (ROOT / "config" / "README.md").read_text()
    sections = text.partition("| section |")[2]
    assert set(StudyConfig.model_fields) == set(re.findall(r"`(\w+)`", "".join(re.findall(r"\n\| (.*?) \|", sections))))
    named = re.findall(r"(?:configs|profiles|config)/\w+(?:\.\w+)?", text)
    assert named
    assert all((ROOT / name).exists() for name in named)
    # The catalogue makes the page's own headings; a title would stand among them.
    assert not re.search(r"^# [^#]*$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)


@pytest.mark.parametrize("path", sorted((ROOT / ".github" / "workflows").glob("*.yml")), ids=lambda path: path.stem)
def test_actions_have_a_version_and_call_what_make_can_do(path: Path) -> None:
    steps = [step for job in yaml.safe_load(path.read_text())["jobs"].values() for step in job["steps"]]
    assert all(re.fullmatch(r"[\w/-]+@v\d+", step["uses"]) for step in steps if "uses" in step)
    makefile = (ROOT / "Makefile").read_text()
    called = [re.findall(r"make ([a-z ]+)$", step["run"]) for step in steps if "run" in step]
    targets = [target for found in called for words in found for target in words.split()]
    assert "install" in targets
    assert all(f"\n{target}:" in makefile for target in targets)
