import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from half_done_study import begin, config_of, failed, finish, individual, write_population

from roco.cli import main
from roco.data.dataset import make_dataset
from roco.data.settings import DatasetConfig
from roco.study.layout import Layout
from roco.study.progress import duration


@pytest.fixture
def study(tmp_path: Path):
    """A configuration and the path of its file."""
    config = config_of(tmp_path / "results")
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(config.model_dump(mode="json")))
    return config, str(path)


def test_it_is_readable_at_80_columns(study, monkeypatch, capsys) -> None:
    config, path = study
    monkeypatch.setenv("COLUMNS", "80")
    jobs = list(Layout(config).jobs())
    for job in jobs[:4]:
        finish(job, at=0, seconds=2)
    begin(jobs[4], failed(3, "the reason"), at=3)
    for search in ("baseline", "roco"):
        write_population(config, search, 2, [individual(0.123, 0.456, 7_890_000, rank=0)], seen=12)
    assert main(["status", "--configfile", path]) == 0
    text = capsys.readouterr().out
    assert all(len(row.rstrip()) <= 80 for row in text.splitlines())
    rows = {row.split()[0]: row.split() for row in text.splitlines() if row.strip()}
    assert rows["made_up:"][1:3] == ["not", "running,"]
    assert rows["data"] == ["data", "set", "1", "of", "1", "done"]
    assert rows["adversarial"] == ["adversarial", "sets", "2", "of", "4", "1", "failed"]
    assert rows["roco"] == ["roco", "0", "2/2", "12", "0", "1", "12.3", "%", "45.6", "%", "7.89", "1.000"]
    assert "the reason" in text
    assert str(jobs[4].log) in text.replace("\n", "")


def test_json_says_the_same(study, capsys: pytest.CaptureFixture[str]) -> None:
    config, path = study
    jobs = list(Layout(config).jobs())
    finish(jobs[0], at=0, seconds=2)
    begin(jobs[1], failed(3, "the reason"), at=3)
    assert main(["status", "--configfile", path, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["experiment"], found["running"], found["finished"]) == ("made_up", None, False)
    dataset, target, *_ = found["stages"]
    assert (dataset["done"], dataset["total"], dataset["job_seconds"]) == (1, 1, 2.0)
    wildcards = {"targets": "targets", "target": "lenet"}
    failure = {"rule": "target", "wildcards": wildcards, "log": str(jobs[1].log), "error": "the reason"}
    assert target["failed"] == [failure]
    assert [search["generation"] for search in found["searches"]] == [None, None]


def test_watching_ends_with_the_study(study, capsys: pytest.CaptureFixture[str]) -> None:
    config, path = study
    for job in Layout(config).jobs():
        finish(job, at=0, seconds=1)
    assert main(["status", "--configfile", path, "--watch"]) == 0
    assert "finished; the report is at" in capsys.readouterr().out


def test_a_missing_configuration_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--configfile", "absent.yaml"]) == 2
    assert capsys.readouterr().err == "roco: absent.yaml: cannot be read (No such file or directory)\n"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (99, "99 s"),
        (100, "2 min"),
        (3600, "60 min"),
        (6000, "2 h"),
        (172_799, "48 h"),
        (172_800, "2.0 days"),
    ],
)
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_images_that_were_changed_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arrays = {"x": np.random.default_rng(0).integers(0, 256, (20, 16, 16), dtype=np.uint8), "y": np.arange(20) % 2}
    npz, config = tmp_path / "mine.npz", config_of(tmp_path / "results")
    np.savez(npz, **{f"{name}_{part}": array for name, array in arrays.items() for part in ("train", "test")})
    dataset = DatasetConfig(name="npz", path=str(npz), image_size=32, validation_fraction=0.25)
    config = config.model_copy(update={"dataset": dataset})
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(config.model_dump(mode="json")))
    made = Path(config.folder) / "dataset.h5"
    make_dataset(dataset).save(made)
    line = f"{npz} was changed since {made} was made from it"
    for change in (None, line):
        if change:
            arrays["y"] = 1 - arrays["y"]
            np.savez(npz, **{f"{name}_{part}": array for name, array in arrays.items() for part in ("train", "test")})
        assert main(["status", "--configfile", str(path)]) == 0
        assert (line in capsys.readouterr().out) == bool(change)
        assert main(["status", "--configfile", str(path), "--json"]) == 0
        assert bool(json.loads(capsys.readouterr().out)["changed_images"]) == bool(change)
