import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_records import description_of
from tiny_study import CELLS, TinyStudy

from roco.attacks.protocol import attacked, evaluate_robustness
from roco.attacks.sets.transfer import noise_of
from roco.attacks.settings import RobustnessConfig
from roco.attacks.white_box import BIM, FGSM, PGD
from roco.attacks.white_box.judge import attack_white_box
from roco.networks.files import save_network
from roco.retraining import robustness
from roco.retraining.records import Measurements
from roco.storage.store import Store

ATTACKS = {"fgsm": FGSM(method="fgsm", eps=8.0), "bim": BIM(method="bim", eps=4.0, alpha=1.0, steps=2)}
# Brings the second class so near that some images of the others are taken for it.
BIAS = 1.45
CONFIG = RobustnessConfig(images=10, attacks=ATTACKS)


@pytest.fixture(scope="module")
def network_path(tiny: TinyStudy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that looks at the mean colour alone: right on most images, but not on all."""
    description = description_of("0000-0000").model_copy(update={"dataset_fingerprint": tiny.dataset.fingerprint})
    network = description.spec.build(mean=list(tiny.dataset.channel_mean), std=list(tiny.dataset.channel_std))
    with torch.no_grad():
        network.classify.weight.copy_(torch.eye(3))
        network.classify.bias.copy_(torch.tensor([0.0, BIAS, 0.0]))
    path = tmp_path_factory.mktemp("network") / "network.safetensors"
    save_network(path, network, description)
    return path


def measure_tiny(tiny: TinyStudy, network_path: Path, store: Store, config: RobustnessConfig = CONFIG) -> Measurements:
    return robustness.measure_robustness(
        network_path,
        dataset_path=tiny.dataset_path,
        adversarial_path=tiny.test_adversarial_path,
        config=config,
        device="cpu",
        store=store,
    )


def predictions_by_hand(tiny: TinyStudy, images: np.ndarray) -> np.ndarray:
    colours = images.astype(np.float64).mean(axis=(2, 3)) / 255
    colours = (colours - tiny.dataset.channel_mean) / np.array(tiny.dataset.channel_std)
    return (colours + np.array([0, BIAS, 0])).argmax(axis=1)


def test_errors_on_test_images_and_adversarial_set(tiny: TinyStudy, network_path: Path, tmp_path: Path) -> None:
    found = measure_tiny(tiny, network_path, Store(tmp_path))
    test, adversarial = tiny.dataset.test, tiny.test_adversarial
    wrong = predictions_by_hand(tiny, test.images) != test.labels
    assert 0 < wrong.sum() < len(test)
    assert found.test_images == 15
    assert found.test_error == pytest.approx(wrong.mean())
    assert found.right_images == "".join("01"[int(not one)] for one in wrong)
    fooled = predictions_by_hand(tiny, adversarial.images) != adversarial.labels
    assert found.adversarial_error == pytest.approx(fooled.mean())
    assert [row.images for row in found.adversarial_breakdown] == [count for *_, count in CELLS]
    assert sum(row.errors for row in found.adversarial_breakdown) == fooled.sum() > 0
    sources = found.adversarial_sources
    assert sources.source_index == tuple(sorted(set(adversarial.source_index.tolist())))
    noise = noise_of(adversarial, test.images[adversarial.source_index], seed=CONFIG.seed)
    steady = predictions_by_hand(tiny, noise) == adversarial.labels
    assert steady.sum() > 0
    for place, images, right, noise_right in zip(*dict(sources).values(), strict=True):
        of_source = adversarial.source_index == place
        assert (images, right) == (of_source.sum(), (of_source & ~fooled).sum())
        assert noise_right == (of_source & steady).sum()


def test_attacks_one_by_one_are_the_attacks_together(tiny: TinyStudy, network_path: Path, tmp_path: Path) -> None:
    found = measure_tiny(tiny, network_path, Store(tmp_path)).white_box
    network, _ = robustness.load_network(network_path)
    expected = evaluate_robustness(network, tiny.dataset.test, config=CONFIG, device=torch.device("cpu"))
    assert found == expected
    assert list(found.attacks) == ["fgsm", "bim"]
    assert found.images == 10


def test_the_store_answers_the_second_time(
    tiny: TinyStudy, network_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run: list[str] = []

    def counted(*arguments: Any, attack: Any, **settings: Any) -> Any:
        run.append(attack.method)
        return attack_white_box(*arguments, attack=attack, **settings)

    monkeypatch.setattr(attacked, "attack_white_box", counted)
    store = Store(tmp_path)
    first = measure_tiny(tiny, network_path, store)
    assert run == ["fgsm", "bim"]
    assert measure_tiny(tiny, network_path, store) == first
    assert run == ["fgsm", "bim"]
    # A new attack alone is run; other settings and other images are other attacks.
    stronger = CONFIG.model_copy(update={"attacks": {**ATTACKS, "bim": ATTACKS["bim"].model_copy(update={"steps": 3})}})
    measure_tiny(tiny, network_path, store, stronger)
    assert run == ["fgsm", "bim", "bim"]
    measure_tiny(tiny, network_path, store, CONFIG.model_copy(update={"images": 5}))
    assert run[3:] == ["fgsm", "bim"]


def test_an_attack_that_was_interrupted_goes_on_with_the_next_chunk(
    tiny: TinyStudy, network_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attacked, "gradient_batch", lambda device: 1)
    # Chunks of four: ten images are three chunks. Random starts show whether each chunk has its own seed.
    config = CONFIG.model_copy(update={"attacks": {"pgd": PGD(method="pgd", eps=20.0, alpha=4.0, steps=3, restarts=2)}})
    expected = measure_tiny(tiny, network_path, Store(tmp_path / "whole"), config)
    sizes: list[int] = []

    def killed_once(network: Any, images: Any, **settings: Any) -> Any:
        sizes.append(len(images))
        if len(sizes) == 3:
            raise KeyboardInterrupt
        return attack_white_box(network, images, **settings)

    monkeypatch.setattr(attacked, "attack_white_box", killed_once)
    with pytest.raises(KeyboardInterrupt):
        measure_tiny(tiny, network_path, Store(tmp_path / "interrupted"), config)
    assert sizes == [4, 4, 2]
    assert measure_tiny(tiny, network_path, Store(tmp_path / "interrupted"), config) == expected
    assert sizes == [4, 4, 2, 2]
    assert len(expected.white_box.attacks["pgd"].robust_images) == 10


def test_images_of_the_set_are_known_by_their_source_and_size(tiny: TinyStudy) -> None:
    adversarial = tiny.test_adversarial
    linf = [row for row in range(len(adversarial.norm)) if adversarial.norm[row] == b"linf"]
    predictions = adversarial.labels.copy()
    predictions[linf[0]] += 1
    found = robustness._transferred(predictions, adversarial)
    sources = adversarial.source_index[linf].tolist()
    assert found == {source: 10 / 255 if source == sources[0] else np.inf for source in sources}
    twice = dataclasses.replace(adversarial, source_index=np.zeros(len(adversarial.labels), dtype=np.int64))
    assert robustness._transferred(predictions, twice) == {0: 10 / 255}


def test_other_weights_are_attacked_anew(tiny: TinyStudy, network_path: Path, tmp_path: Path) -> None:
    network, description = robustness.load_network(network_path)
    with torch.no_grad():
        network.classify.bias.copy_(torch.tensor([-9.0, 9.0, -9.0]))
    save_network(tmp_path / "other.safetensors", network, description)
    store = Store(tmp_path / "store")
    first, other = (measure_tiny(tiny, path, store) for path in (network_path, tmp_path / "other.safetensors"))
    # Always the second class: no attack changes that, and 5 of 15 images have it.
    assert other.test_error == pytest.approx(2 / 3)
    assert other.white_box != first.white_box
    robust = [attack.accuracy for attack in other.white_box.attacks.values()]
    assert robust == [other.white_box.clean_accuracy] * 2
