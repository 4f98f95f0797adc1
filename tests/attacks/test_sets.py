import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from roco.attacks.l0 import RandomSearch
from roco.attacks.linf import ProjectedGradient
from roco.attacks.records import CellName
from roco.attacks.sets import AdversarialSet, Cell, adversarial_error, breakdown, join_cells
from roco.attacks.sets.chain import attack_chain
from roco.attacks.sets.verification import verify_set
from roco.attacks.settings import AdversarialConfig
from roco.errors import ArtifactError, AttackError
from roco.storage.artifacts import read_arrays, write_arrays
from roco.storage.store import Store


@pytest.fixture
def networks(convolutional, make_linear):
    return {"lenet": make_linear(classes=4), "resnet": convolutional}


@pytest.fixture
def split(networks, make_split):
    return make_split(networks["resnet"], 50)


@pytest.fixture
def cells(networks, split, tmp_path: Path) -> list[Cell]:
    config = AdversarialConfig(
        images=10, l0_attack=RandomSearch(queries=40, margin=1.0), linf_attack=ProjectedGradient(steps=4)
    )
    return [
        cell
        for target, network in networks.items()
        for norm in ("l0", "linf")
        for cell in attack_chain(
            network,
            split,
            target=target,
            norm=norm,
            thresholds=[1, 5, 20],
            config=config,
            split_name="test",
            dataset_fingerprint="f00d",
            device=torch.device("cpu"),
            store=Store(tmp_path / "store"),
        )
    ]


@pytest.fixture
def joined(cells) -> AdversarialSet:
    return join_cells(cells)


def test_a_set_has_every_image_of_its_cells(cells, joined) -> None:
    assert len(joined) == sum(len(cell) for cell in cells) > 10
    for cell in cells:
        rows = joined.rows(CellName(target=cell.target, norm=cell.norm, threshold=cell.threshold))
        assert np.array_equal(joined.images[rows], cell.images)
        assert np.array_equal(joined.source_index[rows], cell.source_index)
        assert np.array_equal(joined.margin[rows], cell.margin)
    assert joined.settings["l0"]["attack"]["queries"] == 40
    assert joined.settings["linf"]["attack"]["method"] == "pgd"


def test_a_set_is_the_same_bytes_in_any_order_and_reads_back(cells, joined, tmp_path: Path) -> None:
    joined.save(tmp_path / "a.h5")
    join_cells(cells[::-1]).save(tmp_path / "b.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    loaded = AdversarialSet.load(tmp_path / "a.h5")
    for name, value in vars(joined).items():
        assert np.array_equal(getattr(loaded, name), value), name


def test_a_set_of_another_schema_or_settings_is_refused(joined, tmp_path: Path) -> None:
    joined.save(tmp_path / "set.h5")
    arrays, attributes = read_arrays(tmp_path / "set.h5", "adversarial_set")
    write_arrays(tmp_path / "new.h5", "adversarial_set", arrays, attributes | {"schema_version": 2})
    with pytest.raises(ArtifactError, match="expected schema version 1, found 2"):
        AdversarialSet.load(tmp_path / "new.h5")
    write_arrays(tmp_path / "new.h5", "adversarial_set", arrays, attributes | {"settings": {}})
    with pytest.raises(ArtifactError, match="settings do not match"):
        AdversarialSet.load(tmp_path / "new.h5")
    del arrays["margin"]
    write_arrays(tmp_path / "new.h5", "adversarial_set", arrays, attributes)
    with pytest.raises(ArtifactError, match="expected images, labels"):
        AdversarialSet.load(tmp_path / "new.h5")


def test_errors_and_their_breakdown(joined) -> None:
    assert adversarial_error(joined.labels, joined) == 0.0
    assert adversarial_error(torch.from_numpy(joined.target_prediction), joined) == 1.0
    predictions = joined.labels.copy()
    predictions[[0, 1, -1]] += 1
    assert adversarial_error(predictions, joined) == pytest.approx(3 / len(joined))
    table = breakdown(predictions, joined)
    assert len(table) == 12
    assert [row.images for row in table] == [row.successes for row in joined.attacked]
    assert sum(row.errors for row in table) == 3
    with_images = [row for row in table if row.images]
    assert with_images[0].errors in (1, 2)
    assert with_images[-1].errors == 1
    with pytest.raises(AttackError, match=f"expected {len(joined)} predictions, got"):
        breakdown(predictions[1:], joined)


def without_images(cell: Cell) -> Cell:
    arrays = ("images", "labels", "source_index", "target_prediction", "margin")
    return replace(cell, **{name: getattr(cell, name)[:0] for name in arrays})


def test_a_set_without_images_says_what_to_raise(cells, joined) -> None:
    with pytest.raises(AttackError, match=r"test images: no attack succeeded.*raise adversarial\.images"):
        join_cells([without_images(cell) for cell in cells])
    names = ("images", "labels", "target", "norm", "threshold", "source_index", "target_prediction", "margin")
    nothing = replace(joined, **{name: getattr(joined, name)[:0] for name in names})
    with pytest.raises(AttackError, match="no attack succeeded"):
        adversarial_error(nothing.labels, nothing)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"split": "validation"}, "one split, got"),
        ({"dataset_fingerprint": "beef"}, "one dataset_fingerprint"),
        ({"seed": 9}, "one seed"),
        ({"settings": {"images": 3}}, "one settings"),
        ({"threshold": 1}, "expected different cells"),
    ],
)
def test_cells_that_do_not_belong_together_are_refused(cells, change, message: str) -> None:
    with pytest.raises(AttackError, match=message):
        join_cells([*cells[:1], replace(cells[1], **change), *cells[2:]])


def test_cells_made_with_several_versions_say_so(cells) -> None:
    joined = join_cells([replace(cells[0], versions=cells[0].versions | {"torch": "9.9"}), *cells[1:]])
    assert joined.versions["torch"] == ", ".join(sorted(["9.9", cells[0].versions["torch"]]))
    assert joined.versions["numpy"] == np.__version__


def test_workers_pay_for_neither_torch_nor_pandas() -> None:
    slow = {"torch", "pandas", "torchattacks"}
    code = f"import sys, roco.attacks.sets, roco.config; print(sorted({slow} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


# ---------------------------------------------------------------------------------------------------------------
# Verification


def test_a_true_set_is_verified_from_its_file(joined, networks, split, tmp_path: Path) -> None:
    joined.save(tmp_path / "set.h5")
    assert verify_set(tmp_path / "set.h5", networks, split, fingerprint="f00d") == len(joined)
    with pytest.raises(ArtifactError, match="expected images of data set beef, found f00d"):
        verify_set(tmp_path / "set.h5", networks, split, fingerprint="beef")
    with pytest.raises(ArtifactError, match="expected the targets lenet, found resnet"):
        verify_set(tmp_path / "set.h5", {"lenet": networks["lenet"]}, split)


def planted(joined: AdversarialSet, split, networks, fault: str) -> AdversarialSet:
    """The set with one untrue row in the middle."""
    row = int(np.flatnonzero(joined.target == b"resnet")[len(joined) // 8])
    columns = {name: getattr(joined, name).copy() for name in ("images", "labels", "source_index", "target_prediction")}
    clean = split.images[joined.source_index[row]]
    if fault == "budget":
        columns["images"][row] = 255 - clean
    if fault == "clean":
        columns["images"][row] = clean
    if fault == "label":
        columns["labels"][row] = joined.target_prediction[row]
    if fault == "prediction":
        columns["target_prediction"][row] = joined.labels[row]
    if fault == "index":
        columns["source_index"][row] = len(split)
    return replace(joined, **columns)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("budget", "outside its budget"),
        ("clean", "still has it right"),
        ("label", "label is not its clean image's"),
        ("prediction", "says another class"),
        ("index", "expected source indices below 50"),
    ],
)
def test_a_planted_wrong_image_is_caught(joined, networks, split, tmp_path: Path, fault: str, message: str) -> None:
    planted(joined, split, networks, fault).save(tmp_path / "set.h5")
    with pytest.raises(ArtifactError, match=message):
        verify_set(tmp_path / "set.h5", networks, split)


def test_an_image_that_was_wrong_before_is_caught(joined, networks, split, tmp_path: Path) -> None:
    joined.save(tmp_path / "set.h5")
    # The target is another one than the set was made on, which has other images right.
    with torch.no_grad():
        networks["resnet"][8].weight *= -1
    with pytest.raises(ArtifactError, match="does not have the clean image right"):
        verify_set(tmp_path / "set.h5", networks, split)


def test_wrong_counts_are_caught(joined, networks, split, tmp_path: Path) -> None:
    *others, last = joined.attacked
    more = last.model_copy(update={"successes": last.successes + 1})
    replace(joined, attacked=(*others, more)).save(tmp_path / "set.h5")
    with pytest.raises(ArtifactError, match=r"resnet linf 20: \d+ successes of 10 are said"):
        verify_set(tmp_path / "set.h5", networks, split)
    replace(joined, attacked=joined.attacked[:-1]).save(tmp_path / "set.h5")
    with pytest.raises(ArtifactError, match="belong to no cell"):
        verify_set(tmp_path / "set.h5", networks, split)
