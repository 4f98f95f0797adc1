"""The profile for SLURM, as far as it can be looked at without one; tests/slurm runs it."""

import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml
from study import REPOSITORY, TINY, Study

pytestmark = pytest.mark.workflow

PROFILES = REPOSITORY / "profiles"


def profile(name: str) -> dict:
    return yaml.safe_load((PROFILES / name / "profile.yaml").read_text())


def test_resources_are_set_for_the_rules_that_are_submitted_and_no_others():
    files = [REPOSITORY / "Snakefile", *sorted((REPOSITORY / "rules").glob("*.smk"))]
    rules = re.findall(r"^rule (\w+):\n((?:[ \t]+.*\n|\n)*)", "".join(file.read_text() for file in files), re.MULTILINE)
    submitted = {name for name, body in rules if "localrule: True" not in body}
    again = [re.findall(r"use rule (\w+) as (\w+)", file.read_text()) for file in files]
    submitted |= {name for found in again for rule, name in found if rule in submitted}
    assert "retrain_references" in submitted
    assert len(rules) > len(submitted)
    assert profile("slurm")["set-resources"].keys() == submitted
    for resources in profile("slurm")["set-resources"].values():
        assert resources["gpu"] == 1
        assert all(str(resources[name]).endswith("* attempt") for name in ("mem_mb", "runtime"))


def test_it_repeats_the_default_profile_but_for_the_limit_on_gpus():
    default = profile("default")
    assert default.pop("resources") == ["gpu=1"]
    assert default.items() <= profile("slurm").items()


def test_a_dry_run_imports_no_torch_and_takes_seconds(tmp_path):
    study = Study(tmp_path, TINY)
    shutil.copy(REPOSITORY / "configs" / "paper.yaml", study.folder / "config.yaml")
    arguments = ["--dry-run", "--quiet", "--profile", str(PROFILES / "slurm")]
    command = [sys.executable, "-X", "importtime", *study.command(*arguments)[1:]]
    process = subprocess.Popen(command, cwd=study.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    with process:
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, said[-3000:]
    imported = {line.split("|")[-1].strip() for line in said.splitlines() if line.startswith("import time:")}
    assert "snakemake" in imported
    assert not imported & {"torch", "pymoo", "sklearn", "matplotlib", "torchvision", "torchattacks"}
    # Of the processor's time; the clock's depends on who else is at work.
    assert usage.ru_utime + usage.ru_stime < 40.0
    assert not study.results.exists()


@pytest.mark.parametrize(
    ("asked", "cores"),
    [("gpu: 1", 1), ("gpu: 1 * attempt", 1), ("gpu: 0", 3), ("gpu: 0\n    gres: \"'gpu:a100:1'\"", 1)],
)
def test_a_job_on_a_gpu_takes_one_core_wherever_it_is_submitted(tmp_path, asked, cores):
    # This machine may have no GPU, as a login node: the profile says what the job gets.
    evaluation = {"channels": 2, "genomes_per_job": 4, "processes": 3}
    study = Study(tmp_path / "study", TINY | {"evaluation": evaluation})
    text = (PROFILES / "slurm" / "profile.yaml").read_text()
    (tmp_path / "profile").mkdir()
    (tmp_path / "profile" / "profile.yaml").write_text(text.replace("gpu: 1\n", f"{asked}\n"))
    said = study.run("--cores", "8", "--dry-run", "--profile", str(tmp_path / "profile"))
    assert said.returncode == 0, said.stderr
    job = re.search(r"^rule evaluate:\n(?: .*\n)+", said.stdout + said.stderr, re.MULTILINE)
    threads = re.search(r"^ +threads: (\d+)$", job[0], re.MULTILINE)
    assert (int(threads[1]) if threads else 1) == cores
