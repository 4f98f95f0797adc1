import json
from pathlib import Path

import pytest
import yaml
from half_done_study import config_of, finish, individual, write_population

from roco.cli import main
from roco.errors import ConfigError
from roco.report.numbers.power import seeds_needed
from roco.study.layout import Layout
from roco.study.plan import (
    Machine,
    Pending,
    Plan,
    everything_pending,
    kinds_to_measure,
    pending_jobs,
    recorded_seconds,
)
from roco.study.shortened import attack_parts
from roco.training.adversarial import PGDTraining


@pytest.fixture
def config(tmp_path: Path):
    return config_of(tmp_path)


def all_pending(config) -> Pending:
    return Pending(everything_pending(config).open, 2.0)


def measured(config) -> dict[tuple[str, ...], float]:
    seconds = {
        ("target", "lenet"): 50.0,
        ("adversarial_cells", "l0", "lenet"): 40.0,
        ("adversarial_cells", "linf", "lenet"): 10.0,
        ("evaluate",): 7.0,
        ("retrain",): 11.0,
    }
    return seconds | {("robustness", part): 6.0 for part in attack_parts(config.robustness)}


def plan_of(config, pending: Pending, *, cores: int = 2, gpus: int = 0) -> Plan:
    return Plan(config, pending, Machine("a machine", cores, gpus, start_seconds=3.0), measured(config))


def stages_of(plan: Plan):
    return {stage.title: stage for stage in plan.stages}


def test_jobs_networks_and_seconds_by_hand(config) -> None:
    plan = plan_of(config, all_pending(config))
    stages = stages_of(plan)
    targets = stages["targets"]
    assert (targets.jobs, targets.open, targets.networks) == (1, 1, 1)
    # One job: a second core does not help. Two and three seconds until it begins.
    assert targets.seconds == 50 + 5
    # Of two splits one of each norm, two at once.
    assert stages["adversarial sets"].seconds == pytest.approx((40 + 10 + 2 * 5) * 2 / 2)
    # A job for each front, whose two networks have a process each on two cores.
    assert (stages["retraining"].jobs, stages["retraining"].networks) == (2, 4)
    assert stages["retraining"].seconds == pytest.approx(2 * ((11 + 3) + 3 + 2))
    # Seven attacks on each of four networks, two at once.
    assert stages["white-box attacks"].seconds == pytest.approx(4 * (7 * 6 + 5) / 2)
    # The data set and the page.
    assert (stages["light steps"].open, stages["light steps"].seconds) == (2, 2)
    # What waits for what before it takes longer than half of all work.
    assert plan.seconds == pytest.approx(max(sum(each.work for each in plan.stages), 55 + 45 + 24 + 19 + 47))


def test_adversarial_training_costs_a_training_for_each_step_and_one_more(config) -> None:
    adversarial = PGDTraining(method="pgd", steps=4)
    retraining = config.retraining.model_copy(update={"adversarial": adversarial})
    both = config.model_copy(update={"retraining": retraining})
    stages = stages_of(plan_of(both, all_pending(both)))
    assert (stages["retraining"].jobs, stages["retraining"].networks) == (4, 8)
    assert stages["retraining"].seconds == pytest.approx(2 * ((11 + 3) + 3 + 2) + 2 * ((5 * 11 + 3) + 3 + 2))
    assert stages["white-box attacks"].jobs == 8


def test_generations_follow_each_other_however_many_cores(config) -> None:
    # Two workers share a job's two genomes.
    job = 7 + 5
    many = stages_of(plan_of(config, all_pending(config), cores=64))["search"]
    # A shared first generation of two jobs at once, and one job in each of two more; each a chain of its own.
    assert many.networks == 4 + 2 * 2 * 2
    assert many.seconds == pytest.approx(2 * job)
    one = stages_of(plan_of(config, all_pending(config), cores=1))["search"]
    assert one.seconds == pytest.approx(6 * (2 * 7 + 5))


def test_each_gpu_takes_one_job_at_a_time(config) -> None:
    one, two = (
        stages_of(plan_of(config, all_pending(config), cores=16, gpus=gpus))["white-box attacks"] for gpus in (1, 2)
    )
    assert one.seconds == pytest.approx(4 * (7 * 6 + 5))
    assert two.seconds == pytest.approx(one.seconds / 2)


def test_only_what_is_to_be_done_is_measured(config) -> None:
    assert set(kinds_to_measure(config, all_pending(config))) == set(measured(config))
    files = {rule: found for rule, found in all_pending(config).open.items() if rule == "target"}
    assert kinds_to_measure(config, Pending(files, 2.0)) == [("target", "lenet")]
    assert kinds_to_measure(config, Pending({}, 2.0)) == []


def test_what_is_done_costs_nothing(config) -> None:
    plan = plan_of(config, Pending({}, 2.0))
    assert {stage.open for stage in plan.stages} == {0}
    assert plan.seconds == 0
    assert stages_of(plan)["search"].jobs == 6


def test_jobs_that_ended_count_more_than_slices(config) -> None:
    jobs = [job for job in Layout(config).jobs() if job.rule == "evaluate"]
    # The last came from the store.
    for job, seconds in zip(jobs, (30, 50, 1), strict=False):
        finish(job, at=0, seconds=seconds)
    assert recorded_seconds(config) == {("evaluate",): 20.0}
    assert ("evaluate",) not in kinds_to_measure(config, all_pending(config))
    plan = plan_of(config, all_pending(config), cores=1)
    # The recorded seconds are those of the whole job but Snakemake's own start.
    assert stages_of(plan)["search"].seconds == pytest.approx(6 * (2 * 20 + 2))


def test_of_a_front_as_many_networks_as_the_population_has(config) -> None:
    for search in ("baseline", "roco"):
        write_population(
            config, search, 1, [individual(0.1, 0.2, 900, rank=0), individual(0.3, 0.4, 950, rank=1)], seen=9
        )
    stages = stages_of(plan_of(config, all_pending(config)))
    assert stages["retraining"].seconds == pytest.approx(2 * ((11 + 3) / 2 + 3 + 2))
    assert stages["white-box attacks"].seconds == pytest.approx(4 * (7 * 6 / 2 + 5) / 2)


def test_without_a_snakefile_it_says_where_to_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("roco.study.plan._beside_package", lambda: tmp_path / "Snakefile")
    with pytest.raises(ConfigError, match="expected one in this folder, found none"):
        pending_jobs("config.yaml")


def test_the_command_shows_stages_seeds_and_what_is_out_of_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    config, path = config_of(tmp_path / "results"), tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(config.model_dump(mode="json")))
    pending = Pending({"target": frozenset([f"{config.folder}/targets/lenet/metrics.json"])}, 1.0)
    monkeypatch.setattr("roco.study.plan.pending_jobs", lambda _: pending)
    monkeypatch.setattr("roco.study.plan.this_machine", lambda *_, **__: Machine("a slow machine", 1, 0, 1.0))
    asked = []

    def slices(*_, kinds, **__) -> dict[tuple[str, ...], float]:
        asked.extend(kinds)
        return {("target", "lenet"): 1e6}

    monkeypatch.setattr("roco.study.slices.seconds_by_kind", slices)
    assert main(["plan", "--configfile", str(path)]) == 0
    assert asked == [("target", "lenet")]
    text = capsys.readouterr().out
    rows = {line.split()[0]: line.split() for line in text.splitlines() if line.strip()}
    assert rows["targets"][1:4] == ["1", "1", "1"]
    assert rows["search"][-1] == rows["retraining"][-1] == "done"
    said = " ".join(text.split())
    assert "about 11.6 days in all" in said
    assert "by slices measured here just now (targets)" in said
    assert "roco against baseline: 1 seed, too few for a verdict, which needs 5." in said
    assert "with a standard deviation of 3 points 20 seeds resolve a difference of 2 points" in said
    assert "out of reach?" in said
    assert all(len(line) <= 80 for line in text.splitlines())
    (Path(config.folder) / "tables").mkdir(parents=True)
    numbers = "search,main,deviation,seeds\nrandom,False,0.5,4\nroco,True,0.04,4\n"
    (Path(config.folder) / "tables" / "differences.csv").write_text(numbers)
    assert main(["plan", "--configfile", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["seconds"] == 1e6 + 2
    needed = [seeds_needed(points, 0.04) for points in (0.02, 0.05)]
    assert "a standard deviation of 4.0 points (a rough guess, from 4 seeds)" in found["verdict"]
    assert "{} seeds resolve a difference of 2 points in four studies of five, and {} seeds one".format(
        *needed
    ) in " ".join(found["verdict"].split())
