"""The workflow from another working directory, and as a module of another workflow."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from study import REPOSITORY, TINY, Study
from test_study import jobs_of

pytestmark = pytest.mark.workflow

# A workflow that trains a target of ours and uses it; its rules may have the names of ours.
PARENT = f"""
configfile: "parent.yaml"

module roco:
    snakefile: "{REPOSITORY}/Snakefile"
    config: config["roco"]

use rule * from roco as roco_*

onstart:
    roco.onstart()

rule target:
    default_target: True
    input: rules.roco_all.input
    output: "mine.txt"
    shell: "touch {{output}}"
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def said(result: subprocess.CompletedProcess) -> str:
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout + result.stderr


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    (tmp_path / "Snakefile").write_text(PARENT)
    (tmp_path / "parent.yaml").write_text(yaml.safe_dump({"roco": TINY}))
    return tmp_path


def test_another_workflow_has_all_jobs_of_a_study(parent: Path, tmp_path: Path) -> None:
    jobs = jobs_of(said(run(parent, "--dry-run")))
    alone = jobs_of(said(Study(tmp_path / "alone", TINY).run("--dry-run")))
    del alone["all"]
    assert jobs == {"target": 1, **{f"roco_{rule}": count for rule, count in alone.items()}}


def test_another_workflow_runs_jobs_with_its_part_of_the_configuration(parent: Path) -> None:
    target = "results/tiny/search/initial/seed_0/generation_000/genomes.json"
    said(run(parent, target))
    assert (parent / target).exists()
    # Its onstart has locked the folder.
    assert (parent / "results/tiny/.running").exists()


def test_a_wrong_part_of_a_configuration_is_one_line(parent: Path) -> None:
    (parent / "parent.yaml").write_text(yaml.safe_dump({"roco": TINY | {"serch": {}}}))
    result = run(parent, "--dry-run")
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "serch" in result.stderr


def test_another_working_directory_gets_the_results(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    snakefile = ("--snakefile", str(REPOSITORY / "Snakefile"), "--directory", "there")
    target = "results/tiny/dataset.h5"
    said(run(tmp_path, *snakefile, "--configfile", "tiny.yaml", "--", target))
    made = {path.relative_to(tmp_path / "there") for path in (tmp_path / "there/results/tiny").rglob("*.*")}
    assert {Path(target), Path("results/tiny/logs/dataset.log"), Path("results/tiny/benchmarks/dataset.tsv")} <= made
    assert not (tmp_path / "results").exists()


def test_its_configuration_there_is_taken_else_the_default_one(tmp_path: Path) -> None:
    snakefile = ("--snakefile", str(REPOSITORY / "Snakefile"), "--directory", str(tmp_path), "--dry-run")
    default = yaml.safe_load((REPOSITORY / "config.yaml").read_text())["experiment"]
    assert f"results/{default}/report.html" in said(run(REPOSITORY, *snakefile))
    shutil.copy(REPOSITORY / "configs" / "paper.yaml", tmp_path / "config.yaml")
    assert "results/paper/report.html" in said(run(REPOSITORY, *snakefile))
