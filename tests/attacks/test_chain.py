import itertools
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from roco.attacks.l0 import DifferentialEvolution, Greedy, RandomSearch, SparseGradient
from roco.attacks.linf import MomentumIterative, ProjectedGradient
from roco.attacks.norms import DECIDED
from roco.attacks.sets import Cell
from roco.attacks.sets import chain as chain_module
from roco.attacks.sets.chain import attack_chain
from roco.attacks.settings import AdversarialConfig
from roco.data.dataset import Split
from roco.errors import ArtifactError, AttackError
from roco.storage.store import Store

L0 = [
    RandomSearch(queries=60, margin=1.0),
    DifferentialEvolution(population=8, steps=6),
    Greedy(candidates=4, exhaustive=True),
    SparseGradient(steps=5),
]
LINF = [ProjectedGradient(steps=4, restarts=2), MomentumIterative(steps=4)]


NUMBERS = itertools.count()


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def chain(
    network: nn.Module,
    split: Split,
    *,
    norm: str = "l0",
    thresholds: Any = (1, 3, 5),
    store: Store | None = None,
    **settings: Any,
) -> list[Cell]:
    config = AdversarialConfig(**({"images": 15, "l0_attack": L0[0], "linf_attack": LINF[0]} | settings))
    return attack_chain(
        network,
        split,
        target="lenet",
        norm=norm,
        thresholds=thresholds,
        config=config,
        split_name="validation",
        dataset_fingerprint="f00d",
        device=torch.device("cpu"),
        store=store or Store(f"store_{next(NUMBERS)}"),
    )


def predicted(network: nn.Module, images: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return np.stack([network(torch.from_numpy(image)[None].float() / 255)[0].numpy() for image in images])


@pytest.mark.parametrize(
    ("norm", "settings"),
    [("l0", {"l0_attack": attack}) for attack in L0] + [("linf", {"linf_attack": attack}) for attack in LINF],
    ids=lambda value: value if isinstance(value, str) else next(iter(value.values())).method,
)
def test_what_is_stored_is_true(convolutional, make_split, norm: str, settings: dict[str, Any]) -> None:
    split = make_split(convolutional, 40)
    wrong = np.arange(0, 40, 4)
    split.labels[wrong] = (split.labels[wrong] + 1) % 4
    cells = chain(convolutional, split, norm=norm, thresholds=[1, 4, 12], **settings)
    assert [cell.threshold for cell in cells] == [1, 4, 12]
    assert len(cells[-1]) >= 3
    assert len(cells[0]) < len(cells[-1])
    for smaller, larger in itertools.pairwise(cells):
        assert set(smaller.source_index) <= set(larger.source_index)
    for cell in cells:
        assert cell.attacked == 15
        assert not set(cell.source_index) & set(wrong)
        assert (np.diff(cell.source_index) > 0).all()
        clean = split.images[cell.source_index]
        assert (cell.labels == split.labels[cell.source_index]).all()
        change = np.abs(cell.images.astype(int) - clean.astype(int))
        distance = change.any(axis=1).sum(axis=(1, 2)) if norm == "l0" else change.max(axis=(1, 2, 3))
        assert (distance <= cell.threshold).all()
        if len(cell):
            logits = predicted(convolutional, cell.images)
            rows = np.arange(len(cell))
            assert (logits.argmax(axis=1) == cell.target_prediction).all()
            assert (cell.target_prediction != cell.labels).all()
            margins = logits[rows, cell.target_prediction] - logits[rows, cell.labels]
            np.testing.assert_allclose(cell.margin, margins, atol=1e-4)
            assert (cell.margin >= DECIDED).all()


def test_the_same_chain_writes_the_same_bytes(convolutional, make_split, tmp_path: Path) -> None:
    split = make_split(convolutional)
    for name in ("a", "b"):
        for cell in chain(convolutional, split):
            cell.save(tmp_path / name / f"{cell.threshold}.h5")
    for threshold in (1, 3, 5):
        assert (tmp_path / "a" / f"{threshold}.h5").read_bytes() == (tmp_path / "b" / f"{threshold}.h5").read_bytes()
    other = chain(convolutional, split, seed=1)[-1]
    assert not np.array_equal(other.images, Cell.load(tmp_path / "a" / "5.h5").images)


def test_an_image_is_attacked_alike_however_many_others_are(convolutional, make_split) -> None:
    split = make_split(convolutional)
    few, many = (chain(convolutional, split, images=images)[-1] for images in (15, 40))
    shared = np.isin(many.source_index, few.source_index)
    assert shared.any()
    assert not shared.all()
    assert np.array_equal(many.images[shared], few.images)


def test_all_targets_are_attacked_on_the_same_images(make_linear, make_split) -> None:
    first, second = make_linear(), make_linear()
    with torch.no_grad():
        second.weight *= 2
        second.bias *= 2
    split = make_split(first)
    found = [chain(network, split, norm="linf", thresholds=[60])[0] for network in (first, second)]
    assert len(found[0]) == 15
    assert np.array_equal(found[0].source_index, found[1].source_index)


def test_a_target_that_is_never_right_has_empty_cells(convolutional, make_split, tmp_path: Path) -> None:
    split = make_split(convolutional)
    never = Split(split.images, (split.labels + 1) % 4)
    for norm in ("l0", "linf"):
        for cell in chain(convolutional, never, norm=norm):
            assert (len(cell), cell.attacked, cell.images.shape) == (0, 0, (0, 3, 8, 8))
            cell.save(tmp_path / "cell.h5")
            assert len(Cell.load(tmp_path / "cell.h5")) == 0


def test_a_cell_survives_its_file(convolutional, make_split, tmp_path: Path) -> None:
    cell = chain(convolutional, make_split(convolutional))[-1]
    cell.save(tmp_path / "cell.h5")
    loaded = Cell.load(tmp_path / "cell.h5")
    for name, value in vars(cell).items():
        assert np.array_equal(getattr(loaded, name), value), name
    assert loaded.settings["attack"] == L0[0].model_dump()
    with h5py.File(tmp_path / "cell.h5") as file:
        assert file["images"].dtype == np.uint8


def test_a_cell_of_unequal_arrays_is_refused(convolutional, make_split, tmp_path: Path) -> None:
    cell = chain(convolutional, make_split(convolutional))[-1]
    replace(cell, labels=cell.labels[1:]).save(tmp_path / "cell.h5")
    with pytest.raises(ArtifactError, match="expected one label and one uint8 image"):
        Cell.load(tmp_path / "cell.h5")


def test_an_attack_that_breaks_its_budget_is_caught(convolutional, make_split, monkeypatch) -> None:
    def careless(network: nn.Module, images: Tensor, **settings: Any) -> Tensor:
        return 255 - images

    monkeypatch.setattr(chain_module, "attack_l0", careless)
    with pytest.raises(AttackError, match="validation lenet l0 1: the attack broke its budget on 15 of 15 images"):
        chain(convolutional, make_split(convolutional))


def test_an_attack_that_does_nothing_has_no_success(convolutional, make_split, monkeypatch) -> None:
    monkeypatch.setattr(chain_module, "attack_linf", lambda network, images, **settings: images)
    assert [len(cell) for cell in chain(convolutional, make_split(convolutional), norm="linf")] == [0, 0, 0]


@pytest.mark.parametrize("thresholds", [[3, 1], [1, 1]])
def test_thresholds_must_rise(convolutional, make_split, thresholds: list[int]) -> None:
    with pytest.raises(AttackError, match="rising order"):
        chain(convolutional, make_split(convolutional), thresholds=thresholds)


def same(cells: list[Cell], others: list[Cell]) -> bool:
    pairs = [(vars(cell), vars(other)) for cell, other in zip(cells, others, strict=True)]
    return all(np.array_equal(one[name], other[name]) for one, other in pairs for name in one)


@pytest.mark.parametrize("norm", ["l0", "linf"])
@pytest.mark.parametrize("calls", [0, 1, 4, 8])
def test_an_interrupted_chain_goes_on_chunk_by_chunk(
    convolutional, make_split, monkeypatch, norm: str, calls: int
) -> None:
    # 15 images in chunks of 6, 6 and 3, at three thresholds: 9 attacks.
    monkeypatch.setattr(chain_module, "forward_batch", lambda device: 6)
    name = "attack_l0" if norm == "l0" else "attack_linf"
    attack, done = getattr(chain_module, name), list[int]()

    def counted(network: nn.Module, images: Tensor, **settings: Any) -> Tensor:
        if len(done) == calls:
            raise KeyboardInterrupt
        done.append(len(images))
        return attack(network, images, **settings)

    split = make_split(convolutional)
    whole = chain(convolutional, split, norm=norm)
    assert sum(len(cell) for cell in whole) > 0
    store = Store("store")
    monkeypatch.setattr(chain_module, name, counted)
    with pytest.raises(KeyboardInterrupt):
        chain(convolutional, split, norm=norm, store=store)
    calls = 99
    assert same(chain(convolutional, split, norm=norm, store=store), whole)
    assert done == [6, 6, 6, 6, 6, 6, 3, 3, 3]
    # All is in the store now; another network, seed or threshold is another attack.
    assert same(chain(convolutional, split, norm=norm, store=store), whole)
    assert len(done) == 9
    chain(convolutional, split, norm=norm, store=store, seed=1)
    assert len(done) == 18
    with torch.no_grad():
        convolutional[8].bias += 0.01
    chain(convolutional, split, norm=norm, store=store)
    assert len(done) == 27


def test_a_damaged_chunk_is_attacked_again(convolutional, make_split, caplog: pytest.LogCaptureFixture) -> None:
    split, store = make_split(convolutional), Store("store")
    whole = chain(convolutional, split, store=store)
    first, second, third = sorted(store.root.rglob("*.h5"))
    first.write_bytes(first.read_bytes()[:-100])
    second.write_bytes(third.read_bytes())
    assert same(chain(convolutional, split, store=store), whole)
    assert caplog.text.count("computed again") == 2
    assert "made for something else" in caplog.text


def test_a_long_chain_says_how_far_it_is(convolutional, make_split, monkeypatch, caplog) -> None:
    caplog.set_level(logging.INFO)
    split = make_split(convolutional)
    chain(convolutional, split)
    assert "attacked" not in caplog.text
    monkeypatch.setattr(chain_module, "forward_batch", lambda device: 6)
    chain(convolutional, split)
    told = [message.partition(": ")[2] for message in caplog.messages if message.endswith("attacked")]
    assert told == ["6 of 15 images attacked", "12 of 15 images attacked", "15 of 15 images attacked"]
