"""The study through Snakemake: from beginning to end, interrupted, twice at once, with settings that changed."""

import os
import re
import shutil

import pytest
import yaml
from chaos import chaos
from study import TINY, Study

from roco.attacks.sets import AdversarialSet
from roco.attacks.sets.verification import verify_set
from roco.data.dataset import Dataset
from roco.networks.files import digest_of, load_network
from roco.storage.artifacts import read_json
from roco.study.lock import lock_results
from roco.study.plan import pending_jobs

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
        "test_targets/lenet/network.safetensors",
        "test_targets/allconv/metrics.json",
        "adversarial/test/lenet/l0_5.h5",
        "adversarial/validation.h5",
        "adversarial/test.h5",
        "search/initial/seed_0/generation_000/genomes.json",
        "search/roco/seed_0/generation_001/population.json",
        "search/baseline/seed_0/front.json",
        "retrained/roco/seed_0/slot_000/training_0/network.safetensors",
        "retrained/baseline/seed_0/slot_000/training_0/robustness.json",
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


def test_the_test_set_is_made_from_networks_of_its_own(finished_study):
    results = finished_study.results
    sets = {split: AdversarialSet.load(results / f"adversarial/{split}.h5") for split in ("validation", "test")}
    makers = {split: {cell.target for cell in found.attacked} for split, found in sets.items()}
    assert makers == {"validation": {"lenet"}, "test": {"lenet", "allconv"}}
    weights = [
        load_network(results / f"{folder}/lenet/network.safetensors")[0] for folder in ("targets", "test_targets")
    ]
    assert digest_of(weights[0]) != digest_of(weights[1])
    networks = {name: load_network(results / f"test_targets/{name}/network.safetensors")[0] for name in makers["test"]}
    test = Dataset.load(results / "dataset.h5").test
    assert verify_set(results / "adversarial/test.h5", networks, test) == len(sets["test"])
    assert "trained anew from another seed, and All-CNN" in (results / "report.html").read_text()


def test_a_finished_study_has_nothing_left_to_do_also_without_benchmarks(finished_study, tmp_path):
    assert (finished_study.results / "benchmarks/retrained/roco/seed_0/training.tsv").exists()
    shutil.copytree(finished_study.folder, tmp_path / "study", symlinks=True)
    study = Study(tmp_path / "study", TINY)
    # Those of an older version have none.
    shutil.rmtree(study.results / "benchmarks")
    result = study.run("--dry-run")
    assert result.returncode == 0
    assert "Nothing to be done" in result.stdout + result.stderr


def test_a_plan_asks_snakemake_what_is_left(finished_study, monkeypatch):
    monkeypatch.chdir(finished_study.folder)
    assert pending_jobs("config.yaml").open == {}


def test_killed_at_random_moments_it_ends_with_the_same_bytes(finished_study, tmp_path):
    # The long form: `make chaos`.
    tally = chaos(tmp_path, finished_study.artifacts(), kills=2, seed=2, longest=25)
    assert tally.total == 2
    assert tally.clean, "\n".join([*tally.differences, *tally.complaints])


@pytest.mark.long
def test_two_studies_at_once_may_share_a_store(finished_study, tmp_path):
    config = TINY | {"results": str(tmp_path / "shared")}
    studies = [Study(tmp_path / name, config | {"experiment": name}) for name in ("one", "other")]
    # As far as both would evaluate the same genomes at the same time.
    runs = [
        study.start(f"{study.results}/search/initial/seed_0/generation_000/evaluations/shard_000.json")
        for study in studies
    ]
    assert [run.wait() for run in runs] == [0, 0], [(study.folder / "snakemake.log").read_text() for study in studies]
    expected = finished_study.artifacts()
    for study in studies:
        found = study.artifacts()
        assert "search/initial/seed_0/generation_000/evaluations/shard_000.json" in found
        assert [name for name in found if found[name] != expected[name]] == []


def test_a_second_run_in_one_folder_says_so_and_stops(tmp_path):
    study = Study(tmp_path, TINY)
    descriptor = lock_results(study.results)
    try:
        result = study.run()
        assert result.returncode == 1
        assert "another run is at work here" in result.stderr
        assert set(study.artifacts()) == set()
    finally:
        os.close(descriptor)


def test_what_the_search_waits_for_goes_first(tmp_path):
    result = Study(tmp_path, TINY).run("--dry-run")
    jobs = re.findall(r"^(?:local)?rule (\w+):\n((?:    .*\n)+)", result.stdout + result.stderr, re.MULTILINE)
    first = {(rule, "split=test" in facts) for rule, facts in jobs if re.search(r"priority: 5$", facts, re.MULTILINE)}
    later = {(rule, "split=test" in facts) for rule, facts in jobs} - first
    search = ("initial_genomes", "offspring_genomes", "evaluate", "survivors", "front")
    assert first == {(rule, False) for rule in ("adversarial_cells", *search)}
    assert {("adversarial_cells", True), ("transfer", False), ("retrain", False)} <= later


CHANGES = {
    "other test targets": (
        {"targets": {"test": {"seed": 5}}},
        {"target", "adversarial_cells", "robustness"},
        {"evaluate", "dataset", "retrain"},
    ),
    "more generations": ({"search": {"generations": 2}}, {"evaluate", "offspring_genomes"}, {"target", "dataset"}),
    "longer retraining": ({"retraining": {"training": {"epochs": 3}}}, {"retrain", "robustness"}, {"evaluate"}),
    "another training": ({"retraining": {"seeds": [0, 4]}}, {"retrain", "robustness"}, {"evaluate", "front"}),
    "another attack": ({"robustness": {"images": 12}}, {"robustness"}, {"retrain", "evaluate"}),
    "another table": ({"report": {"top": [1, 2]}}, {"tables"}, {"robustness", "retrain", "evaluate"}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_setting_runs_what_depends_on_it_and_only_that(finished_study, name):
    change, again, untouched = CHANGES[name]
    said = finished_study.dry_run_with(change)
    jobs = jobs_of(said)
    assert again <= jobs.keys(), said
    assert not untouched & jobs.keys()


@pytest.mark.parametrize("seeds", [[0, 1], [1]])
def test_another_seed_has_folders_of_its_own(finished_study, seeds):
    # A list on the command line would be one of texts.
    (finished_study.folder / "seeds.yaml").write_text(yaml.safe_dump(TINY | {"seeds": seeds}))
    result = finished_study.run("--dry-run", "--configfile", "seeds.yaml")
    shown = result.stdout + result.stderr
    made = [line for line in shown.splitlines() if line.strip().startswith("output:")]
    assert any("/search/roco/seed_1/" in line for line in made), shown
    assert [line for line in made if "/seed_0/" in line] == []
    assert not {"dataset", "target", "adversarial_cells", "adversarial_set"} & jobs_of(shown).keys()


def test_another_data_set_seed_keeps_nothing_of_the_old_one(finished_study):
    jobs = jobs_of(finished_study.dry_run_with({"dataset": {"seed": 1}}))
    assert {"dataset", "target", "adversarial_cells", "evaluate", "retrain"} <= jobs.keys()
