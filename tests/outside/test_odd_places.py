"""A clone in a folder whose name a shell would take apart.

Met where people keep code in `My Projects` or `thesis (final)`: Snakemake writes the path of its Python into shell
commands as it stands, and no job started.
"""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TINY = {"experiment": "tiny", "device": "cpu", "dataset": {"name": "digits", "image_size": 16, "train_images": 300}}


@pytest.mark.workflow
@pytest.mark.parametrize("name", ["My (first) Projects & a'b", '"$HOME"; {it} `x` #*?'])
def test_a_job_starts_in_a_clone_of_any_place(name: str, tmp_path: Path) -> None:
    place, study = tmp_path / name, tmp_path / name / "study"
    study.mkdir(parents=True)
    (place / "clone").symlink_to(ROOT)
    (place / "venv").symlink_to(Path(sys.prefix))
    (study / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    command = [str(place / "venv/bin/python"), "-m", "snakemake", "results/tiny/dataset.h5", "--cores", "1"]
    command += ["--snakefile", str(place / "clone/Snakefile"), "--configfile", "tiny.yaml"]
    ended = subprocess.run(command, cwd=study, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert (study / "results/tiny/dataset.h5").exists()
