"""What a whole study survives that takes minutes to show: `pytest -n 0 -m long tests/workflow`."""

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from study import RECIPE, TINY, Study
from test_config_fuzz import REPOSITORY, VALUES, changed, keys_of
from test_study import jobs_of

from roco.config import check_config, read_yaml
from roco.errors import ConfigError

pytestmark = [pytest.mark.long, pytest.mark.workflow]

DRY_RUNS = 40


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system whose size is to be set, where a study has its results."""
    folder = tmp_path / "study" / "results"
    folder.mkdir(parents=True)
    if os.geteuid() or not resized(folder, kilobytes=64, remount=False):
        pytest.skip("a file system can be mounted by root only")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def resized(folder: Path, *, kilobytes: int, remount: bool = True) -> bool:
    options = f"{'remount,' if remount else ''}size={kilobytes}k"
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    return subprocess.run(command, capture_output=True).returncode == 0


def test_a_study_whose_disk_is_full_again_and_again_ends_with_the_same_bytes(finished_study, disk, tmp_path):
    study = Study(tmp_path / "study", TINY)
    failures = 0
    for kilobytes in (64, 200, 400, 700, 1000, 1400, 100_000):
        assert resized(disk, kilobytes=kilobytes)
        result = study.run()
        said = result.stdout + result.stderr
        assert "Traceback" not in said
        if result.returncode == 0:
            break
        failures += 1
        assert "No space left on device" in said
    assert result.returncode == 0, said[-3000:]
    assert failures >= 3
    expected, found = finished_study.artifacts(), study.artifacts()
    assert [name for name in sorted(expected.keys() | found.keys()) if expected.get(name) != found.get(name)] == []


def test_a_search_of_which_a_whole_generation_fails_stops_with_the_reason(finished_study, tmp_path):
    shutil.copytree(finished_study.folder, tmp_path / "study", symlinks=True)
    evaluation = TINY["evaluation"] | {"training": RECIPE | {"learning_rate": 1e30}}
    study = Study(tmp_path / "study", TINY | {"evaluation": evaluation})
    for _ in range(2):
        result = study.run()
        said = result.stdout + result.stderr
        assert result.returncode == 1
        assert "all 2 networks of generation 0 failed, 2 of them because the training loss of epoch 1 is" in said
        assert "Traceback" not in said
    # What the reason was is in the records, and the settings from before still have their results in the store.
    assert Study(study.folder, TINY).run().returncode == 0
    assert study.artifacts() == finished_study.artifacts()


def accepted_changes() -> list[tuple[Path, str, dict]]:
    """Shipped configurations with one key changed, as far as they are taken."""
    found = []
    for path in (REPOSITORY / "config.yaml", *sorted((REPOSITORY / "configs").glob("*.yaml"))):
        raw = read_yaml(path)
        for keys in keys_of(raw):
            for value in VALUES:
                config = changed(raw, keys, value)
                try:
                    check_config(config, source=path.name)
                except ConfigError:
                    continue
                found.append((path, ".".join(keys), config))
    return found


def test_what_is_taken_can_be_planned(tmp_path, monkeypatch):
    # cifar10_small names a file that is not shipped.
    data = tmp_path / "data" / "cifar10.npz"
    data.parent.mkdir()
    data.touch()
    monkeypatch.chdir(tmp_path)
    changes = accepted_changes()
    assert len(changes) > 900
    for number, (path, key, config) in enumerate(random.Random(0).sample(changes, DRY_RUNS)):
        study = Study(tmp_path / "study", config | {"results": str(tmp_path / str(number))})
        (study.folder / "data").mkdir(exist_ok=True)
        (study.folder / "data" / "cifar10.npz").touch()
        result = study.run("--dry-run")
        assert result.returncode == 0, f"{path.name}, {key}: {result.stderr[-2000:]}"
        assert "Traceback" not in result.stdout + result.stderr
        assert jobs_of(result.stdout + result.stderr).get("dataset") == 1, (path.name, key)
