"""What Snakemake shows of configurations before any job runs: the whole study, or one line that says what is wrong."""

import copy
import shutil

import pytest
from study import REPOSITORY, TINY, Study
from test_study import jobs_of

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


def test_a_key_that_stands_twice_is_refused(tmp_path):
    study = Study(tmp_path, TINY)
    with (study.folder / "config.yaml").open("a") as file:
        file.write("seeds: [3]\nseeds: [4]\n")
    result = study.run()
    assert result.returncode == 1
    assert "config.yaml: seeds: expected once, got twice (lines " in result.stderr
    assert "Traceback" not in result.stderr


EXTREMES = {
    "folder": changed("results", value="ergebnisse/ünïcödé 漢字 folder"),
    "seeds": changed("seeds", value=[0, 2**31 - 1]),
    "sizes": changed("evaluation", "training", value={"epochs": 10**9, "batch_size": 10**9, "learning_rate": 1e300}),
    "one_search": changed("search", value={"searches": {"a": ["parameters"]}, "generations": 0, "offspring": 1000}),
}


@pytest.mark.parametrize("name", EXTREMES)
def test_what_the_configuration_allows_can_be_planned(tmp_path, name):
    result = Study(tmp_path, EXTREMES[name]).run("--dry-run")
    assert result.returncode == 0, result.stderr
    assert jobs_of(result.stdout + result.stderr)["evaluate"] >= 1


def test_a_dry_run_of_the_papers_study_shows_the_whole_search(tmp_path):
    study = Study(tmp_path, TINY)
    shutil.copy(REPOSITORY / "configs" / "paper.yaml", study.folder / "config.yaml")
    result = study.run("--dry-run")
    assert result.returncode == 0, result.stderr
    jobs = jobs_of(result.stdout + result.stderr)
    # Three searches, one of them random; all of them are retrained.
    assert jobs["evaluate"] == 1 + 3 * 20
    assert jobs["survivors"] == 3 * 21
    # A job for each front, and one for the published networks; each network once, as in the paper.
    assert (jobs["retrain"], jobs["retrain_references"], jobs["robustness"]) == (3, 1, 3 * 40 + 2)


def test_a_configuration_given_on_the_command_line_is_not_mixed_with_the_default_one(tmp_path):
    study = Study(tmp_path, TINY)
    result = study.run("--dry-run")
    # The default configuration has nine targets, this one LeNet (for either set) and All-CNN; and generations that it
    # leaves to the defaults.
    assert jobs_of(result.stdout + result.stderr)["target"] == 3
