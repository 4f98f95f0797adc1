"""Networks taken away: other formats that give the same logits, the card, and how others call a network."""

import logging
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torchattacks
from made_records import DECODER, description_of, ended_training, measured_network, spec_of
from pyautoattack import AutoAttack
from tiny_study import GENOMES, RECIPE, TinyStudy

import roco
from roco.cli import main
from roco.errors import ArtifactError
from roco.networks.files import save_network, save_no_network
from roco.retraining.records import Slot, read_training, write_robustness, write_training
from roco.retraining.retrain import Retraining, RetrainingSettings, retrain
from roco.search.population import unevaluated
from roco.search.records import Front
from roco.settings import Recipe
from roco.storage.store import Store

KEY = GENOMES[1].key


@pytest.fixture(scope="module")
def study(tiny: TinyStudy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with one experiment: a front of one network, retrained and measured."""
    results = tmp_path_factory.mktemp("results")
    experiment = results / "tiny"
    slot = experiment / "retrained/roco/seed_0/slot_000/training_0"
    slot.mkdir(parents=True)
    tiny.dataset.save(experiment / "dataset.h5")
    member = unevaluated(spec_of())
    front = Front(search="roco", seed=0, objectives=("error", "flops"), networks=(member,))
    front.save(experiment / "search/roco/seed_0/front.json")
    settings = RetrainingSettings(decoder=DECODER, training=Recipe(**RECIPE), validation_images_too=True)
    place = Slot(search="roco", seed=0, slot=0, training_seed=0)
    [training] = retrain(
        [Retraining(individual=member, slot=place, network_path=slot / "network.safetensors")],
        settings,
        dataset_path=experiment / "dataset.h5",
        device="cpu",
        store=Store(results / "store"),
    )
    write_training(slot / "training.json", training)
    write_robustness(slot / "robustness.json", measured_network())
    return results


@pytest.fixture(scope="module")
def network_file(study: Path) -> Path:
    return study / "tiny/retrained/roco/seed_0/slot_000/training_0/network.safetensors"


def exported(study: Path, folder: Path, file_format: str, suffix: str) -> Path:
    output = folder / f"network{suffix}"
    call = ["export", KEY[:6], "--format", file_format, "--output", str(output), "--results", str(study)]
    assert main(call) == 0
    return output


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(5, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def test_a_loaded_network_takes_pixels_and_gives_logits(network_file: Path, images: torch.Tensor) -> None:
    network = roco.load(network_file)
    assert not network.training
    with torch.no_grad():
        logits = network(images)
    assert logits.shape == (5, 3)
    assert logits.dtype == torch.float32
    # Logits, not probabilities: they do not add up to one.
    assert not torch.allclose(logits.sum(dim=1), torch.ones(5))


def test_attacks_of_others_call_it_as_it_is(network_file: Path, tiny: TinyStudy) -> None:
    # As RobustBench and AutoAttack call a model: model(images in [0, 1]) gives logits, with a gradient.
    network = roco.load(network_file)
    images = torch.from_numpy(tiny.dataset.test.images[:6]).float() / 255
    labels = torch.from_numpy(tiny.dataset.test.labels[:6])
    attack = torchattacks.PGD(network, eps=8 / 255, alpha=4 / 255, steps=3)
    adversarial = attack(images, labels)
    assert (adversarial - images).abs().max() <= 8 / 255 + 1e-6
    assert 0 <= adversarial.min() <= adversarial.max() <= 1
    assert (adversarial != images).flatten(1).any(dim=1).all()


def test_the_original_autoattack_evaluates_it_as_it_is(
    tmp_path: Path, tiny: TinyStudy, caplog: pytest.LogCaptureFixture
) -> None:
    # RobustBench calls a model like this too: it is given to AutoAttack with images in [0, 1], and nothing is wrapped.
    torch.manual_seed(0)
    # The targeted loss of AutoAttack wants four classes at least.
    description = description_of(classes=10)
    network = description.spec.build(mean=[0.5] * 3, std=[0.2] * 3)
    save_network(tmp_path / "network.safetensors", network, description)
    network = roco.load(tmp_path / "network.safetensors")
    images = torch.from_numpy(tiny.dataset.test.images).float() / 255
    with torch.no_grad():
        labels = network(images).argmax(dim=1)
    eps, steps = 8 / 255, 5
    four = ["apgd-ce", "apgd-t", "fab-t", "square"]
    adversary = AutoAttack(network, norm="Linf", eps=eps, version="custom", attacks=four, seed=0)
    for attack in (adversary.apgd, adversary.apgd_targeted, adversary.fab):
        attack.n_iter = steps
    adversary.apgd.n_restarts = adversary.fab.n_restarts = 1
    adversary.apgd_targeted.n_target_classes = adversary.fab.n_target_classes = 3
    adversary.square.n_queries = 20
    caplog.set_level(logging.DEBUG, logger="auto-attack")
    adversarial, predicted = adversary.run_standard_evaluation(images, labels, batch_size=8)
    assert (adversarial - images).abs().max() <= eps + 1e-6
    assert 0 <= adversarial.min() <= adversarial.max() <= 1
    with torch.no_grad():
        fooled = network(adversarial).argmax(dim=1) != labels
    # What it returns is what it fooled: the others come back as they were.
    changed = (adversarial != images).flatten(1).any(dim=1)
    assert torch.equal(changed, fooled)
    assert torch.equal(predicted != labels, fooled)
    # Each of the four had images left that the ones before had not fooled.
    assert 0 < fooled.sum() < len(images)
    said = [record.getMessage() for record in caplog.records]
    assert [line for line in said if line.startswith("running ")] == [f"running {name}" for name in four]
    assert "no robust datapoints left" not in " ".join(said)


def test_safetensors_is_the_same_network_with_a_card(study: Path, tmp_path: Path, images: torch.Tensor) -> None:
    output = exported(study, tmp_path, "safetensors", ".safetensors")
    original = roco.load(study / "tiny/retrained/roco/seed_0/slot_000/training_0/network.safetensors")
    assert torch.equal(roco.load(output)(images), original(images))
    card = output.with_suffix(".md").read_text()
    for said in (
        f"# Network {KEY}",
        f"`{GENOMES[1]}`",
        "By the search `roco` (seed 0), which minimises",
        "- flops: ",
        "- tiny, classes: red, green, blue",
        tiny_fingerprint(study),
        "- epochs: 2",
        "- learning_rate: 0.05",
        "- trained on validation images as well: yes",
        "- training seed: 0; what was measured below is of this training alone",
        "- accuracy on 15 test images: 0.8000",
        "- accuracy on 4 adversarial test images: 0.5000",
        "- accuracy under pgd on 8 of them (eps 8.0): 0.2500",
        "images of 16 x 16 pixels",
        "MIT licence",
    ):
        assert said in card


def tiny_fingerprint(study: Path) -> str:
    from roco.storage.artifacts import read_attributes

    return str(read_attributes(study / "tiny/dataset.h5", "dataset")["fingerprint"])


def test_a_file_outside_of_a_study_has_a_card_of_what_it_says(
    network_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "alone.safetensors").write_bytes(network_file.read_bytes())
    assert main(["export", str(tmp_path / "alone.safetensors"), "--output", str(tmp_path / "a.safetensors")]) == 0
    card = (tmp_path / "a.md").read_text()
    assert "nothing is known of its search" in card
    assert "Nothing yet." in card
    assert f"`{GENOMES[1]}`" in card
    assert str(tmp_path / "a.md") in capsys.readouterr().out


def test_onnxruntime_gives_the_same_logits_for_any_batch(study: Path, tmp_path: Path, images: torch.Tensor) -> None:
    pytest.importorskip("onnxscript", reason="onnx, onnxscript and onnxruntime are in the extra 'export'")
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is in the extra 'export'")
    output = exported(study, tmp_path, "onnx", ".onnx")
    network = roco.load(study / "tiny/retrained/roco/seed_0/slot_000/training_0/network.safetensors")
    session = onnxruntime.InferenceSession(str(output), providers=["CPUExecutionProvider"])
    for batch in (images, images[:1]):
        (found,) = session.run(["logits"], {"images": batch.numpy()})
        np.testing.assert_allclose(found, network(batch).detach().numpy(), rtol=1e-4, atol=1e-5)


def test_torch_export_gives_the_same_logits_for_any_batch(study: Path, tmp_path: Path, images: torch.Tensor) -> None:
    output = exported(study, tmp_path, "torch-export", ".pt2")
    network = roco.load(study / "tiny/retrained/roco/seed_0/slot_000/training_0/network.safetensors")
    program = torch.export.load(output).module()
    for batch in (images, images[:1]):
        torch.testing.assert_close(program(batch), network(batch))


def test_a_missing_package_is_one_line(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    call = ["export", KEY, "--format", "onnx", "--results", str(study), "--output", str(tmp_path / "n.onnx")]
    assert main(call) == 2
    said = capsys.readouterr().err
    assert said == ("roco: --format onnx: needs onnx, which is not installed; pip install '.[export]' in the clone\n")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_found_is_one_line(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, message in (
        ("0123abcd", "no retrained network in"),
        ("no/such.safetensors", "expected a network's file, or its key of 4 to 12 digits"),
    ):
        assert main(["export", name, "--results", str(study), "--output", str(tmp_path / "n.safetensors")]) == 2
        assert message in capsys.readouterr().err


def test_several_networks_of_a_key_are_named(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in (0, 1):
        slot = tmp_path / f"tiny/retrained/roco/seed_{seed}/slot_000/training_0"
        slot.mkdir(parents=True)
        torch.manual_seed(seed)
        description = description_of()
        network = description.spec.build(mean=[0.5] * 3, std=[0.2] * 3)
        save_network(slot / "network.safetensors", network, description)
        write_training(slot / "training.json", ended_training(seed=seed))
    assert main(["export", KEY, "--results", str(tmp_path), "--output", str(tmp_path / "n.safetensors")]) == 2
    said = capsys.readouterr().err
    assert "several networks have this key; give a file:" in said
    assert "seed_0" in said
    assert "seed_1" in said


def test_of_several_retrainings_the_first_or_the_named_one(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(study / "tiny/retrained", tmp_path / "results/tiny/retrained")
    slot = tmp_path / "results/tiny/retrained/roco/seed_0/slot_000"
    torch.manual_seed(3)
    description = description_of()
    network = description.spec.build(mean=[0.5] * 3, std=[0.2] * 3)
    save_network(slot / "training_10/network.safetensors", network, description)
    training = read_training(slot / "training_0/training.json").model_copy(update={"training_seed": 10})
    write_training(slot / "training_10/training.json", training)
    output = tmp_path / "network.safetensors"
    call = ["export", KEY, "--results", str(tmp_path / "results"), "--output", str(output)]
    for more, seed in (([], 0), (["--training-seed", "10"], 10)):
        assert main([*call, *more]) == 0
        assert output.read_bytes() == (slot / f"training_{seed}/network.safetensors").read_bytes()
        assert f"- training seed: {seed};" in output.with_suffix(".md").read_text()
        assert f"training_{seed}/network.safetensors" in capsys.readouterr().out
    assert main([*call, "--training-seed", "7"]) == 2
    assert "expected a training seed of 0, 10, got 7" in capsys.readouterr().err


def test_a_network_of_dense_nodes_is_exported_like_the_others(tmp_path: Path, images: torch.Tensor) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is in the extra 'export'")
    torch.manual_seed(0)
    description = description_of("0111-1010", channels=4, stem_padding=1, node="dense")
    network = description.spec.build(mean=[0.5] * 3, std=[0.2] * 3)
    network(images)  # moves the running statistics
    save_network(tmp_path / "dense.safetensors", network, description)
    expected = roco.load(tmp_path / "dense.safetensors")(images).detach()
    torch.testing.assert_close(network.eval()(images), expected)
    for file_format, output in (("onnx", "a.onnx"), ("torch-export", "a.pt2")):
        file = str(tmp_path / "dense.safetensors")
        assert main(["export", file, "--format", file_format, "--output", str(tmp_path / output)]) == 0
    assert "- nodes: dense" in (tmp_path / "a.md").read_text()
    session = onnxruntime.InferenceSession(str(tmp_path / "a.onnx"), providers=["CPUExecutionProvider"])
    (found,) = session.run(["logits"], {"images": images.numpy()})
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(torch.export.load(tmp_path / "a.pt2").module()(images), expected)


def test_an_empty_slot_holds_no_network(tmp_path: Path) -> None:
    save_no_network(tmp_path / "network.safetensors")
    with pytest.raises(ArtifactError, match="holds no network: its slot is past the end of the front"):
        roco.load(tmp_path / "network.safetensors")
