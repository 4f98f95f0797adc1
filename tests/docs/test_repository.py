"""Files that other programs and people read about the repository: they agree with the package."""

from pathlib import Path

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
