import sys
from pathlib import Path

import pytest
import yaml
from half_done_study import config_of

from roco.cli import main
from roco.report.numbers.power import seeds_needed
from roco.study import calibration
from roco.study.calibration import Speed, calibrate, cpu_seconds_of
from roco.study.plan import Pending
from roco.study.workload import Images, Work, genome_flops, typical_genome

IMAGES = Images(train=50, validation=20, test=30, adversarial=9, test_adversarial=11, classes=10, size=16)


def test_seconds_are_passes_times_their_cost() -> None:
    speed = Speed(trained=0.5, forward=0.1, gradient=0.25, alone=2.0)
    assert speed.seconds(Work("lenet", trained=2, forward=10, gradient=4, alone=3)) == pytest.approx(1 + 1 + 1 + 6)


def test_cpu_time_of_a_command() -> None:
    seconds, ended = cpu_seconds_of([sys.executable, "-c", "print(sum(range(3_000_000)))"])
    assert ended.stdout == "4499998500000\n"
    assert seconds > 0


def test_every_network_of_a_study_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "_start_seconds", lambda: 4.0)
    monkeypatch.setattr(calibration, "SHORTEST_SECONDS", 0.01)
    config = config_of(tmp_path).model_copy(update={"device": "cpu"})
    found = calibrate(config, IMAGES, cores=3)
    assert (found.cores, found.uses_gpu, found.start_seconds) == (3, False, 4.0)
    assert set(found.speeds) == set(found.flops) == {"lenet", "evaluation", "retraining"}
    assert all(min(speed.trained, speed.forward, speed.gradient, speed.alone) > 0 for speed in found.speeds.values())
    # A step trains on what a forward pass computes and twice as much again.
    assert all(speed.trained > speed.forward for speed in found.speeds.values())
    assert set(calibrate(config, IMAGES, cores=3, networks={"lenet"}).speeds) == {"lenet"}
    genome = typical_genome(config, IMAGES)
    assert found.flops["retraining"] == genome_flops(config, genome, IMAGES, part="retraining")


def test_the_command_shows_stages_and_what_is_out_of_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    config, path = config_of(tmp_path / "results"), tmp_path / "study.yaml"
    for each in (path, tmp_path / "config.yaml"):
        each.write_text(yaml.safe_dump(config.model_dump(mode="json")))
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "cifar10_small.yaml").write_text("dataset: {name: npz, path: not/there.npz}")
    job = f"{config.folder}/targets/lenet/metrics.json"
    pending = Pending({"target": frozenset([job])}, 1.0)
    monkeypatch.setattr("roco.study.plan.pending_jobs", lambda _, **__: pending)
    slow = dict.fromkeys(("lenet", "evaluation", "retraining"), Speed(10.0, 10.0, 10.0, 10.0))
    flops = dict.fromkeys(slow, 10**6)
    machine = calibration.Calibration("a slow machine", 1, False, slow, flops, 1.0)
    monkeypatch.setattr("roco.study.calibration.calibrate", lambda *_, **__: machine)
    saved = tmp_path / "machine.json"
    assert main(["plan", "--configfile", str(path), "--save-calibration", str(saved)]) == 0
    text = capsys.readouterr().out
    rows = {line.split()[0]: line.split() for line in text.splitlines() if line.strip()}
    assert rows["targets"][1:4] == ["1", "1", "1"]
    assert rows["search"][-1] == rows["retraining"][-1] == "done"
    said = " ".join(text.split())
    assert "roco against baseline: 1 seed, too few for a verdict, which needs 5." in said
    assert "with a standard deviation of 3 points 20 seeds resolve a difference of 2 points" in said
    shipped = text[text.index("out of reach? about") :].splitlines()[1:]
    assert [line.split(" takes about ")[0] for line in shipped] == ["config.yaml"]
    assert all(len(line) <= 80 for line in text.splitlines())
    assert main(["plan", "--configfile", str(path), "--calibration", str(saved)]) == 0
    assert capsys.readouterr().out == text
    (Path(config.folder) / "tables").mkdir(parents=True)
    numbers = "search,main,deviation,seeds\nrandom,False,0.5,4\nroco,True,0.04,4\n"
    (Path(config.folder) / "tables" / "differences.csv").write_text(numbers)
    assert main(["plan", "--configfile", str(path), "--calibration", str(saved)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    needed = [seeds_needed(points, 0.04) for points in (0.02, 0.05)]
    assert "a standard deviation of 4.0 points (a rough guess, from 4 seeds)" in said
    assert "{} seeds resolve a difference of 2 points in four studies of five, and {} seeds one".format(*needed) in said
