"""Images that are changed after the data set was made from them, which no rule of Snakemake sees by itself.

Met by whoever mends labels, or adds images, under the same name: "Nothing to be done", and the old images stay.
"""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from study import TINY, Study

from roco.data import origin
from roco.data.dataset import Dataset, make_dataset
from roco.data.origin import change_since, source_fingerprint
from roco.data.settings import DatasetConfig
from roco.errors import DatasetError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of one's own, below the folder of the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "roco" / "sources"


def folder_of_images(folder: Path) -> DatasetConfig:
    random = np.random.default_rng(0)
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            (folder / part / name).mkdir(parents=True)
            for number in range(8):
                pixels = random.integers(0, 256, (16, 16, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / part / name / f"{number}.png")
    return DatasetConfig(name="image_folder", path=str(folder), image_size=16, validation_fraction=0.25)


def write_npz(path: Path, *, turned: bool = False) -> None:
    """Two classes; `turned`, the labels are mended: the same names and sizes."""
    random = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", 80), ("test", 30)):
        labels = np.arange(count) % 2
        images = random.integers(0, 120, (count, 16, 16, 3))
        images[np.arange(count), :, :, 0] += 120 * labels[:, None, None]
        arrays |= {f"x_{part}": images.astype(np.uint8), f"y_{part}": 1 - labels if turned else labels}
    np.savez(path, **arrays)


@pytest.fixture
def config(tmp_path: Path) -> DatasetConfig:
    return folder_of_images(tmp_path / "photos")


def add(folder: Path) -> None:
    shutil.copy2(folder / "test/cat/0.png", folder / "train/cat/new.png")


def remove(folder: Path) -> None:
    (folder / "train/cat/3.png").unlink()


def replace(folder: Path) -> None:
    shutil.copy2(folder / "train/dog/3.png", folder / "train/cat/3.png")


def swap(folder: Path) -> None:
    """Two images change classes: no time of a file is newer than before."""
    one, two, aside = folder / "train/cat/1.png", folder / "train/dog/1.png", folder / "aside.png"
    one.rename(aside)
    two.rename(one)
    aside.rename(two)


def rename_class(folder: Path) -> None:
    for part in ("train", "test"):
        (folder / part / "cat").rename(folder / part / "bat")


@pytest.mark.parametrize("change", [add, remove, replace, swap, rename_class])
def test_a_changed_folder_is_noticed(tmp_path: Path, config: DatasetConfig, change) -> None:
    path = tmp_path / "dataset.h5"
    assert change_since(config, path) is None
    make_dataset(config).save(path)
    assert change_since(config, path) is None
    change(tmp_path / "photos")
    assert change_since(config, path) == (
        f"{tmp_path / 'photos'} was changed since {path} was made from it; what depends on it is made anew"
    )
    make_dataset(config).save(path)
    assert change_since(config, path) is None


def test_an_overwritten_image_of_the_same_size_and_time_is_noticed(tmp_path: Path, config: DatasetConfig) -> None:
    image = tmp_path / "photos/train/cat/0.png"
    before, found = source_fingerprint(config), image.stat()
    content = bytearray(image.read_bytes())
    content[-20] ^= 1
    image.write_bytes(content)
    os.utime(image, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert image.stat().st_mtime_ns == found.st_mtime_ns
    assert source_fingerprint(config) != before


def test_what_is_only_touched_or_moved_is_not_changed(tmp_path: Path, config: DatasetConfig) -> None:
    before = source_fingerprint(config)
    for path in (tmp_path / "photos").rglob("*.png"):
        path.touch()
    (tmp_path / "photos" / "train" / "cat" / "notes.txt").write_text("no image")
    assert source_fingerprint(config) == before
    shutil.move(tmp_path / "photos", tmp_path / "pictures")
    assert source_fingerprint(config.model_copy(update={"path": str(tmp_path / "pictures")})) == before


def test_contents_are_read_once(
    tmp_path: Path, config: DatasetConfig, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Written long enough ago that no clock's tick hides a second change.
    monkeypatch.setattr(origin, "_SETTLED_SECONDS", -60.0)
    before = source_fingerprint(config)
    assert len(list(cache.iterdir())) == 1
    monkeypatch.setattr(origin, "_content", lambda _: pytest.fail("contents were read again"))
    assert source_fingerprint(config) == before
    [kept] = cache.iterdir()
    kept.write_text("damaged")
    monkeypatch.undo()
    assert source_fingerprint(config) == before


def test_what_was_just_written_is_read_again(config: DatasetConfig, cache: Path, tmp_path: Path) -> None:
    (tmp_path / "photos/train/cat/0.png").touch()
    source_fingerprint(config)
    assert not cache.exists()


def test_a_cache_that_cannot_be_written_costs_time_only(config: DatasetConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(origin, "_SETTLED_SECONDS", -60.0)
    before = source_fingerprint(config)
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    assert source_fingerprint(config) == before


def test_images_that_change_while_they_are_read_are_refused(
    tmp_path: Path, config: DatasetConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    from roco.data import dataset

    def read_and_change(settings: DatasetConfig) -> object:
        source = read(settings)
        replace(tmp_path / "photos")
        return source

    read = dataset.read_source
    monkeypatch.setattr(dataset, "read_source", read_and_change)
    with pytest.raises(DatasetError, match="was changed while it was read; run again"):
        make_dataset(config)


def test_what_is_downloaded_while_it_is_read_is_no_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from roco.data import dataset

    labels = tmp_path / "train-labels-idx1-ubyte"
    labels.write_bytes(b"damaged")
    digits = dataset.read_source(DatasetConfig(name="digits", image_size=16))

    def download(_: DatasetConfig) -> object:
        labels.write_bytes(b"whole")
        return digits

    monkeypatch.setattr(dataset, "read_source", download)
    config = DatasetConfig(name="fashion_mnist", path=str(tmp_path), image_size=16)
    made = make_dataset(config)
    assert made.source_fingerprint == source_fingerprint(config) is not None


def test_digits_have_no_files(tmp_path: Path) -> None:
    config = DatasetConfig(name="digits", image_size=16)
    make_dataset(config).save(tmp_path / "dataset.h5")
    assert source_fingerprint(config) is None
    assert change_since(config, tmp_path / "dataset.h5") is None


def test_published_files_are_noticed_where_they_are_and_may_be_deleted(tmp_path: Path) -> None:
    config = DatasetConfig(name="fashion_mnist", path=str(tmp_path / "data"))
    assert source_fingerprint(config) is None
    (tmp_path / "data").mkdir()
    for name in ("train-images", "train-labels", "t10k-images", "t10k-labels"):
        path = tmp_path / "data" / f"{name}-idx{3 if 'images' in name else 1}-ubyte"
        path.write_bytes(name.encode())
    first = source_fingerprint(config)
    path.write_bytes(b"t10k-LABELS")
    assert source_fingerprint(config) not in (None, first)
    shutil.rmtree(tmp_path / "data")
    assert source_fingerprint(config) is None


def test_a_data_set_of_an_earlier_version_is_made_anew(tmp_path: Path, config: DatasetConfig) -> None:
    from roco.storage.artifacts import read_arrays, write_arrays

    path = tmp_path / "dataset.h5"
    make_dataset(config).save(path)
    arrays, attributes = read_arrays(path, "dataset")
    del attributes["source_fingerprint"]
    write_arrays(path, "dataset", arrays, attributes)
    assert Dataset.load(path).source_fingerprint is None
    assert "does not say which images" in str(change_since(config, path))


@pytest.mark.workflow
def test_mended_labels_are_trained_on_and_nothing_else_is_done_again(tmp_path: Path) -> None:
    write_npz(tmp_path / "mine.npz")
    dataset = {"name": "npz", "path": "mine.npz", "image_size": 16, "validation_fraction": 0.25}
    study = Study(tmp_path, TINY | {"dataset": dataset})
    target = "results/tiny/targets/lenet/metrics.json"
    assert study.run(target).returncode == 0
    assert "Nothing to be done" in told(study, target)
    before = Dataset.load(study.results / "dataset.h5")
    # Times and notes of Snakemake's own are no help: the new file is older, and the notes are gone.
    write_npz(tmp_path / "mine.npz", turned=True)
    os.utime(tmp_path / "mine.npz", (0, 0))
    shutil.rmtree(tmp_path / ".snakemake")
    line = "mine.npz was changed since results/tiny/dataset.h5 was made from it; what depends on it is made anew"
    dry = told(study, target, "--dry-run")
    assert dry.count(line) == 1
    assert line in told(study, target)
    after = Dataset.load(study.results / "dataset.h5")
    assert after.test.labels.tolist() == [1 - label for label in before.test.labels.tolist()]
    assert after.fingerprint.encode() in (study.results / "targets/lenet/network.safetensors").read_bytes()
    assert "Nothing to be done" in told(study, target)


@pytest.mark.workflow
def test_a_folder_that_lost_a_part_stops_the_study_with_one_line(tmp_path: Path) -> None:
    folder_of_images(tmp_path / "photos")
    dataset = {"name": "image_folder", "path": "photos", "image_size": 16, "validation_fraction": 0.25}
    study = Study(tmp_path, TINY | {"dataset": dataset})
    assert study.run("results/tiny/dataset.h5").returncode == 0
    whole = (study.results / "dataset.h5").read_bytes()
    shutil.rmtree(tmp_path / "photos/test")
    result = study.run("results/tiny/dataset.h5")
    assert result.returncode != 0
    assert "Traceback" not in result.stderr
    assert "roco: photos/test: no such folder" in result.stderr
    assert (study.results / "dataset.h5").read_bytes() == whole


def told(study: Study, *arguments: str) -> str:
    result = study.run(*arguments)
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout + result.stderr
