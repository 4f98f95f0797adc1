"""Files that other programs and people read about the repository: they agree with the package."""

import re
from pathlib import Path

import pytest
import yaml

from roco import __version__

ROOT = Path(__file__).parents[2]


def test_the_citation_names_this_version_and_the_paper() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == __version__
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    (paper,) = citation["references"]
    assert paper["authors"][0]["family-names"] == "Geraeinejad"


def test_the_changelog_has_this_version() -> None:
    assert f"\n## {__version__}\n" in (ROOT / "CHANGELOG.md").read_text()


def test_the_workflow_catalogue_can_read_its_file() -> None:
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert set(usage["software-stack-deployment"]) == {"conda", "apptainer", "apptainer+conda"}
    assert usage["mandatory-flags"]["flags"] in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("path", sorted((ROOT / ".github" / "workflows").glob("*.yml")), ids=lambda path: path.stem)
def test_actions_have_a_version_and_call_what_make_can_do(path: Path) -> None:
    steps = [step for job in yaml.safe_load(path.read_text())["jobs"].values() for step in job["steps"]]
    assert all(re.fullmatch(r"[\w/-]+@v\d+", step["uses"]) for step in steps if "uses" in step)
    makefile = (ROOT / "Makefile").read_text()
    called = [re.findall(r"make ([a-z ]+)$", step["run"]) for step in steps if "run" in step]
    targets = [target for found in called for words in found for target in words.split()]
    assert "install" in targets
    assert all(f"\n{target}:" in makefile for target in targets)
