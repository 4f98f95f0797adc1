"""The study through Snakemake: from beginning to end, interrupted, twice at once, with settings that changed."""

import json
import os
import signal
import time

import pytest
from tiny_study import TINY, Study

from roco.artifacts import read_json

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("study")]


def jobs_of(dry_run_output: str) -> dict[str, int]:
    """The number of jobs of each rule in what a dry run prints."""
    table = dry_run_output.split("Job stats:")[-1].split("total")[0].splitlines()
    rows = [line.split() for line in table if len(line.split()) == 2]
    return {name: int(count) for name, count in rows if count.isdigit()}


def test_every_stage_leaves_its_files(finished_study):
    found = set(finished_study.artifacts())
    expected = {
        "dataset.h5",
        "targets/lenet/network.safetensors",
        "adversarial/test/lenet/l0_5.h5",
        "adversarial/validation.h5",
        "adversarial/test.h5",
        "search/initial/seed_0/generation_000/genomes.json",
        "search/roco/seed_0/generation_001/population.json",
        "search/baseline/seed_0/front.json",
        "retrained/roco/seed_0/slot_000/network.safetensors",
        "retrained/baseline/seed_0/slot_000/robustness.json",
        *(f"tables/table_{number}.csv" for number in range(1, 6)),
        *(f"figures/figure_{number}.svg" for number in range(2, 7)),
    }
    assert expected <= found
    page = (finished_study.results / "report.html").read_text()
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "Table" in page


def test_the_first_population_is_shared_and_its_evaluations_are_in_both_searches(finished_study):
    records = read_json(
        finished_study.results / "search/initial/seed_0/generation_000/evaluations/shard_000.json", "evaluations"
    )
    for search in ("baseline", "roco"):
        population = read_json(
            finished_study.results / f"search/{search}/seed_0/generation_000/population.json", "population"
        )
        measured = {member["key"]: member["error"] for member in population["individuals"]}
        assert measured == {record["key"]: record["error"] for record in records}


def test_a_finished_study_has_nothing_left_to_do(finished_study):
    result = finished_study.run("--dry-run")
    assert result.returncode == 0
    assert "Nothing to be done" in result.stdout + result.stderr


def test_killed_and_interrupted_it_goes_on_to_the_same_bytes(finished_study, tmp_path):
    study = Study(tmp_path / "interrupted", TINY)
    for how, moment in ((signal.SIGKILL, 25), (signal.SIGINT, 20), (signal.SIGKILL, 15)):
        run = study.start()
        time.sleep(moment)
        if how == signal.SIGINT:
            # What Ctrl-C in a terminal does: every process of the foreground group gets it.
            os.killpg(run.pid, how)
            run.wait(timeout=60)
        os.killpg(run.pid, signal.SIGKILL) if run.poll() is None else None
        run.wait()
    result = study.run()
    assert result.returncode == 0, result.stderr[-5000:]
    expected, found = finished_study.artifacts(), study.artifacts()
    assert found.keys() == expected.keys()
    assert [name for name in expected if expected[name] != found[name]] == []


def test_a_second_run_in_one_folder_says_so_and_stops(finished_study):
    from roco.runtime import guard_run

    place = guard_run(finished_study.results)
    try:
        (finished_study.results / "report.html").rename(finished_study.results / "kept.html")
        result = finished_study.run()
        assert result.returncode == 1
        assert "another run is at work here" in result.stderr
        assert not (finished_study.results / "report.html").exists()
    finally:
        place.close()
        (finished_study.results / "kept.html").rename(finished_study.results / "report.html")


CHANGES = {
    "more generations": ({"search": {"generations": 2}}, {"evaluate", "offspring_genomes"}, {"target", "dataset"}),
    "longer retraining": ({"retraining": {"training": {"epochs": 3}}}, {"retrain", "robustness"}, {"evaluate"}),
    "another attack": ({"robustness": {"images": 12}}, {"robustness"}, {"retrain", "evaluate"}),
    "another table": ({"report": {"top": [1, 2]}}, {"tables"}, {"robustness", "retrain", "evaluate"}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_setting_runs_what_depends_on_it_and_only_that(finished_study, name):
    change, again, untouched = CHANGES[name]
    overrides = [f"{section}={json.dumps(values)}" for section, values in change.items()]
    result = finished_study.run("--dry-run", "--config", *overrides)
    jobs = jobs_of(result.stdout + result.stderr)
    assert again <= jobs.keys(), result.stdout + result.stderr
    assert not untouched & jobs.keys()
