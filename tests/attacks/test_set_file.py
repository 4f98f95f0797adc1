"""What an adversarial set's file says is true, by h5py, the saved targets and the clean images alone."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from tiny_study import make_dataset

from roco.attacks.l0 import Greedy
from roco.attacks.linf import MomentumIterative
from roco.attacks.sets import join_cells
from roco.attacks.sets.chain import attack_chain
from roco.attacks.sets.verification import verify_set
from roco.attacks.settings import AdversarialConfig
from roco.networks.files import load_network, save_network
from roco.networks.spec import NetworkDescription, TargetSpec
from roco.networks.targets import LeNetConfig, ResNetConfig
from roco.settings import Recipe
from roco.storage.store import Store
from roco.training.loop import train

TARGETS = {"lenet": LeNetConfig(width=0.5), "resnet": ResNetConfig(width=0.25, depth=8)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study's dataset.h5, two saved targets and the joined set of its test images, made twice."""
    folder = tmp_path_factory.mktemp("set")
    dataset = make_dataset(seed=0)
    dataset.save(folder / "dataset.h5")
    config = AdversarialConfig(images=8, l0_attack=Greedy(candidates=8), linf_attack=MomentumIterative(steps=8))
    for name, architecture in TARGETS.items():
        spec = TargetSpec(name=name, architecture=architecture, classes=dataset.classes, image_size=16)
        with torch.random.fork_rng():
            torch.manual_seed(1)
            network = spec.build(mean=list(dataset.channel_mean), std=list(dataset.channel_std))
        images, labels = torch.from_numpy(dataset.train.images), torch.from_numpy(dataset.train.labels)
        recipe = Recipe(epochs=12, batch_size=5, learning_rate=0.02, crop_padding=0, flip=False)
        train(network, images, labels=labels, recipe=recipe, seed=0)
        save_network(folder / f"{name}.safetensors", network, NetworkDescription(spec=spec))
    for made in ("set", "again"):
        cells = [
            cell
            for name in TARGETS
            for norm in ("l0", "linf")
            for cell in attack_chain(
                load_network(folder / f"{name}.safetensors")[0],
                dataset.test,
                target=name,
                norm=norm,
                thresholds=[10, 60],
                config=config,
                split_name="test",
                dataset_fingerprint=dataset.fingerprint,
                device=torch.device("cpu"),
                store=Store(folder / made),
            )
        ]
        join_cells(cells).save(folder / f"{made}.h5")
    return folder


def test_made_again_it_is_the_same_bytes(folder: Path) -> None:
    assert (folder / "set.h5").read_bytes() == (folder / "again.h5").read_bytes()


def test_every_row_is_true(folder: Path) -> None:
    with h5py.File(folder / "set.h5") as file:
        arrays = {name: file[name][...] for name in file}
        attacked = json.loads(file.attrs["attacked"])
        assert json.loads(file.attrs["split"]) == "test"
    with h5py.File(folder / "dataset.h5") as file:
        images, labels = file["test_images"][...], file["test_labels"][...]
    assert len(arrays["images"]) == sum(cell["successes"] for cell in attacked) > 8
    networks = {name: load_network(folder / f"{name}.safetensors")[0] for name in TARGETS}
    counts = dict.fromkeys([(c["target"], c["norm"], c["threshold"]) for c in attacked], 0)
    for row, image in enumerate(arrays["images"]):
        target, norm = arrays["target"][row].decode(), arrays["norm"][row].decode()
        threshold, source = int(arrays["threshold"][row]), int(arrays["source_index"][row])
        change = np.abs(image.astype(int) - images[source].astype(int))
        assert 0 < (change.any(axis=0).sum() if norm == "l0" else change.max()) <= threshold
        both = torch.from_numpy(np.stack([images[source], image])).float() / 255
        with torch.no_grad():
            before, after = networks[target](both).numpy()
        true, said = int(labels[source]), int(arrays["target_prediction"][row])
        assert arrays["labels"][row] == true == before.argmax()
        assert after.argmax() == said != true
        assert arrays["margin"][row] == pytest.approx(after[said] - after[true], abs=1e-4)
        counts[target, norm, threshold] += 1
    assert counts == {(c["target"], c["norm"], c["threshold"]): c["successes"] for c in attacked}


def test_the_projects_own_check_agrees(folder: Path) -> None:
    from roco.data.dataset import Dataset

    networks = {name: load_network(folder / f"{name}.safetensors")[0] for name in TARGETS}
    dataset = Dataset.load(folder / "dataset.h5")
    assert verify_set(folder / "set.h5", networks, dataset.test, fingerprint=dataset.fingerprint) > 8
