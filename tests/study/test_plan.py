from collections import defaultdict
from pathlib import Path

import pytest
from half_done_study import config_of, individual, write_population
from made_records import evaluation

from roco.errors import ArtifactError, ConfigError
from roco.search.records import write_evaluations
from roco.study.calibration import Calibration, Speed
from roco.study.layout import Layout
from roco.study.plan import (
    Pending,
    load_calibration,
    networks_to_measure,
    pending_jobs,
    plan_study,
    recorded_seconds,
    save_calibration,
)
from roco.study.workload import Images, evaluation_work, retraining_work, robustness_work, target_work

IMAGES = Images(train=50, validation=20, test=30, adversarial=9, test_adversarial=11, classes=10, size=16)
SPEED = Speed(trained=0.4, forward=0.1, gradient=0.3, alone=0.5)


@pytest.fixture
def config(tmp_path: Path):
    return config_of(tmp_path)


def machine(*, cores: int = 2, uses_gpu: bool = False) -> Calibration:
    names = ("lenet", "evaluation", "retraining")
    return Calibration("a machine", cores, uses_gpu, dict.fromkeys(names, SPEED), dict.fromkeys(names, 1000), 3.0)


def all_pending(config) -> Pending:
    files = defaultdict(set)
    for job in Layout(config).jobs():
        files[job.rule].add(str(job.output))
    return Pending({rule: frozenset(each) for rule, each in files.items()}, 2.0)


def plans_of(config, pending: Pending, calibration: Calibration):
    return {plan.title: plan for plan in plan_study(config, IMAGES, pending=pending, calibration=calibration)}


def test_jobs_networks_flops_and_seconds_by_hand(config) -> None:
    plans = plans_of(config, all_pending(config), machine())
    target = target_work(config, "lenet", IMAGES)
    assert (plans["targets"].jobs, plans["targets"].open, plans["targets"].networks) == (1, 1, 1)
    # Forward 1,000, and two more backward.
    assert plans["targets"].flops == 1000 * (3 * target.trained + target.forward)
    # One job: a second core does not help. Two and three seconds until it begins.
    assert plans["targets"].seconds == pytest.approx(0.4 * target.trained + 0.1 * target.forward + 5)
    retraining = retraining_work(config, IMAGES)
    assert plans["retraining"].networks == 4
    # A job for each front, whose two networks have a process each on two cores.
    assert plans["retraining"].jobs == 2
    assert plans["retraining"].seconds == pytest.approx(2 * (2 * (0.4 * retraining.trained + 3) + 2) / 2)
    # The data set and the page.
    assert (plans["light steps"].open, plans["light steps"].seconds) == (2, 2)


def test_generations_follow_each_other_however_many_cores(config) -> None:
    work = evaluation_work(config, IMAGES)
    # Two workers share a job's two genomes; a worker is one more process that starts.
    job = 2 * (0.4 * work.trained + 0.1 * work.forward) / 2 + (2 + 2 * 3) / 2
    many = plans_of(config, all_pending(config), machine(cores=64))["search"]
    # A shared first generation of two jobs at once, and one job in each of two more; each a chain of its own.
    assert many.networks == 4 + 2 * 2 * 2
    assert many.seconds == pytest.approx(2 * job)
    one = plans_of(config, all_pending(config), machine(cores=1))["search"]
    assert one.seconds == pytest.approx(6 * 2 * job)


def test_a_gpu_takes_one_job_at_a_time(config) -> None:
    robustness = robustness_work(config, IMAGES)
    plan = plans_of(config, all_pending(config), machine(cores=16, uses_gpu=True))["white-box attacks"]
    each = 0.1 * robustness.forward + 0.3 * robustness.gradient + 0.5 * robustness.alone
    assert plan.seconds == pytest.approx(4 * (each + 5))


def test_only_what_is_to_be_done_is_measured(config) -> None:
    def needed(pending: Pending) -> set[str]:
        return networks_to_measure(config, IMAGES, pending=pending)

    assert needed(all_pending(config)) == {"lenet", "evaluation", "retraining"}
    files = {rule: found for rule, found in all_pending(config).open.items() if rule == "robustness"}
    assert needed(Pending(files, 2.0)) == {"retraining"}
    assert needed(Pending({}, 2.0)) == set()


def test_what_is_done_costs_nothing(config) -> None:
    plans = plans_of(config, Pending({}, 2.0), machine())
    assert {plan.open for plan in plans.values()} == {0}
    assert sum(plan.seconds for plan in plans.values()) == 0
    assert plans["search"].jobs == 6


def test_records_of_this_study_count_more_than_the_calibration(config) -> None:
    shard, *_ = Layout(config).all_shards()
    records = [evaluation(seconds=seconds) for seconds in (30.0, 50.0, 0.001)]
    write_evaluations(shard, [*records, evaluation(status="failed", seconds=900.0)])
    assert recorded_seconds(config) == {"evaluate": 40.0}
    plan = plans_of(config, all_pending(config), machine(cores=1))["search"]
    assert plan.seconds == pytest.approx(6 * (2 * 40 + 2 + 2 * 3))


def test_of_a_front_as_many_networks_as_the_population_has(config) -> None:
    for search in ("baseline", "roco"):
        write_population(
            config, search, 1, [individual(0.1, 0.2, 900, rank=0), individual(0.3, 0.4, 950, rank=1)], seen=9
        )
    work = retraining_work(config, IMAGES)
    plan = plans_of(config, all_pending(config), machine())["retraining"]
    assert plan.seconds == pytest.approx(2 * (2 * 0.4 * work.trained / 2 + 2 * 3 + 2) / 2)


def test_a_calibration_is_kept_for_the_networks_that_it_was_made_with(config, tmp_path: Path) -> None:
    path = tmp_path / "machine.json"
    save_calibration(path, machine(), config)
    assert load_calibration(path, config) == machine()
    wider = config.model_copy(update={"retraining": config.retraining.model_copy(update={"channels": 64})})
    with pytest.raises(ArtifactError, match="it was made for something else"):
        load_calibration(path, wider)


def test_without_a_snakefile_it_says_where_to_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("roco.study.plan._beside_package", lambda: tmp_path / "Snakefile")
    with pytest.raises(ConfigError, match="expected one in this folder, found none"):
        pending_jobs("config.yaml")
