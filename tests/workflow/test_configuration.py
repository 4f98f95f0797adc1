"""What Snakemake shows of configurations before any job runs: the whole study, or one line that says what is wrong."""

import copy
import shutil

import pytest
from test_study import jobs_of
from tiny_study import REPOSITORY, TINY, Study

pytestmark = pytest.mark.workflow


def changed(*path, value):
    config = copy.deepcopy(TINY)
    part = config
    for key in path[:-1]:
        part = part.setdefault(key, {})
    part[path[-1]] = value
    return config


WRONG = {
    "unknown key": (changed("serch", value={}), "serch"),
    "wrong type": (changed("evaluation", "channels", value="many"), "evaluation.channels"),
    "population of 1": (changed("search", "population", value=1), "search.population"),
    "unknown data set": (changed("dataset", "name", value="mnist"), "dataset.name"),
    "missing folder": (changed("dataset", value={"name": "image_folder", "path": "nowhere"}), "dataset.path"),
    "unknown attack": (changed("robustness", "attacks", "x", value={"method": "magic"}), "robustness.attacks.x"),
    "threshold 0": (changed("adversarial", "thresholds", value=[0, 1]), "adversarial.thresholds"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_configuration_ends_with_one_line_before_any_job(tmp_path, name):
    config, key = WRONG[name]
    study = Study(tmp_path, config)
    result = study.run()
    assert result.returncode == 1
    said = [line for line in result.stderr.splitlines() if not line.startswith("Using workflow specific profile")]
    assert len(said) == 1
    assert said[0].startswith("roco: ")
    assert key in said[0]
    assert not study.results.exists()


def test_a_dry_run_of_the_papers_study_shows_the_whole_search(tmp_path):
    study = Study(tmp_path, TINY)
    shutil.copy(REPOSITORY / "configs" / "paper.yaml", study.folder / "config.yaml")
    result = study.run("--dry-run")
    assert result.returncode == 0, result.stderr
    jobs = jobs_of(result.stdout + result.stderr)
    assert jobs["evaluate"] == 5 + 2 * 20 * 5
    assert jobs["survivors"] == 2 * 21
    assert jobs["retrain"] == jobs["robustness"] == 2 * 40 + 2


def test_a_configuration_given_on_the_command_line_is_not_mixed_with_the_default_one(tmp_path):
    study = Study(tmp_path, TINY)
    result = study.run("--dry-run")
    # The default configuration has four targets, and generations that this one leaves to the defaults.
    assert jobs_of(result.stdout + result.stderr)["target"] == 1
