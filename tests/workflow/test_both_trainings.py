"""The study with adversarial training beside the standard one, through Snakemake; also killed while it trains."""

import os
import shutil
import signal
import time
from pathlib import Path

import pytest
import yaml
from study import TINY, Study
from test_study import jobs_of

from roco.retraining.card import model_card
from roco.retraining.records import EndedTraining, read_training

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("study")]

ADVERSARIAL = {"method": "pgd", "eps": 8.0, "alpha": 2.0, "steps": 60}
TRAINING = "roco/seed_0/slot_000/training_0"


def with_both(finished: Study, folder: Path) -> Study:
    """The finished study, in which networks are to be trained adversarially as well."""
    shutil.copytree(finished.folder, folder, symlinks=True)
    retraining = TINY["retraining"] | {"adversarial": ADVERSARIAL}  # type: ignore[operator]
    return Study(folder, TINY | {"retraining": retraining})


def killed_while_training(study: Study) -> None:
    """Starts it and kills it with all its jobs, once a checkpoint of the first epoch is there."""
    run, deadline = study.start(), time.monotonic() + 120
    while not list(study.results.parent.glob("store/checkpoint/*.safetensors")):
        assert time.monotonic() < deadline
        assert run.poll() is None
        time.sleep(0.02)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()


def test_networks_are_trained_both_ways_and_a_kill_changes_no_byte(finished_study: Study, tmp_path: Path) -> None:
    before, study = finished_study.artifacts(), with_both(finished_study, tmp_path / "whole")
    planned = jobs_of(study.run("--dry-run").stdout)
    assert {name: planned[name] for name in ("retrain", "robustness")} == {"retrain": 2, "robustness": 2}
    assert not {"dataset", "target", "evaluate"} & set(planned)
    result = study.run()
    assert result.returncode == 0, result.stderr[-3000:]
    after = study.artifacts()
    # All that was there before is as it was, but for the page.
    assert {name for name in before if before[name] != after.get(name)} == {"report.html"}
    added = {name.split("/")[0] for name in set(after) - set(before)}
    assert added == {"retrained_adversarially", "tables", "figures"}
    records = [
        read_training(study.results / way / TRAINING / "training.json")
        for way in ("retrained", "retrained_adversarially")
    ]
    for record, adversarial in zip(records, (False, True), strict=True):
        assert isinstance(record, EndedTraining)
        assert record.adversarial is adversarial
    assert records[0].key == records[1].key  # type: ignore[union-attr]
    assert records[0].train_loss != records[1].train_loss  # type: ignore[union-attr]
    card = model_card(study.results / "retrained_adversarially" / TRAINING / "network.safetensors")
    assert "adversarially trained with PGD training (eps 8, alpha 2, steps 60" in card
    assert "With adversarial training" in (study.results / "report.html").read_text()
    assert "With adversarial training" not in (finished_study.results / "report.html").read_text()

    killed = with_both(finished_study, tmp_path / "killed")
    killed_while_training(killed)
    result = killed.run()
    assert result.returncode == 0, result.stderr[-3000:]
    log = (killed.results / "logs/retrained_adversarially").rglob("*.log")
    assert any("goes on after epoch" in path.read_text() for path in log)
    again = killed.artifacts()
    assert [name for name in sorted(after.keys() | again.keys()) if after.get(name) != again.get(name)] == []


def test_other_settings_of_adversarial_training_train_those_networks_alone_again(
    finished_study: Study, tmp_path: Path
) -> None:
    study = with_both(finished_study, tmp_path / "study")
    assert study.run("--until", "retrain").returncode == 0
    config = yaml.safe_load((study.folder / "config.yaml").read_text())
    changed = {"retraining": config["retraining"] | {"adversarial": {"method": "trades", "steps": 2}}}
    said = study.dry_run_with(changed)
    assert jobs_of(said)["retrain"] == 2
    assert "evaluate" not in jobs_of(said)
