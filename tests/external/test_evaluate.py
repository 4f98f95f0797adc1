"""`roco evaluate`: networks from everywhere give the same numbers, faults give a line or a flag, runs go on."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_study import TinyStudy
from torch import nn

from roco.attacks.protocol import Memory, evaluate_robustness
from roco.attacks.settings import RobustnessConfig
from roco.cli import main
from roco.errors import ConfigError
from roco.external.checks import inspect_network
from roco.external.evaluation import Evaluation, evaluate
from roco.external.images import read_images
from roco.external.model import Normalised, read_model
from roco.external.settings import attacks_of, black_box
from roco.report.page.evaluation import write_evaluation_page
from roco.storage.store import Store

CPU = torch.device("cpu")
ATTACKS = """
robustness:
  images: 15
  attacks:
    pgd: {method: pgd, eps: 45.0, alpha: 12.0, steps: 6}
    autoattack: {method: autoattack, eps: 45.0, steps: 4, targets: 2, queries: 10}
    l0: {method: l0, pixels: 3, attacks: [{method: greedy, candidates: 4}, {method: random_search, queries: 9}]}
    deepfool: {method: deepfool}
  curve: {radii: [4.0, 45.0], steps: 4, targets: 1}
  checks: {steps: 8, queries: 10}
"""


@pytest.fixture
def attacks(folder: Path) -> RobustnessConfig:
    (folder / "attacks.yaml").write_text(ATTACKS)
    return attacks_of(folder / "attacks.yaml")


def mine(name: str) -> nn.Module:
    return read_model(f"mine:{name}", device=CPU).network


def test_a_network_is_measured_as_in_a_study(folder: Path, tiny: TinyStudy, attacks: RobustnessConfig) -> None:
    """The numbers of a factory's network are those of the protocol on the same network and images."""
    evaluation = evaluate("mine:Channels", read_images("images.npz"), config=attacks, store=Store(folder / "store"))
    alone = evaluate_robustness(mine("Channels"), tiny.dataset.test, config=attacks, device=CPU)
    assert evaluation.white_box == alone
    assert evaluation.white_box.clean_accuracy == 1
    assert 0 < evaluation.white_box.attacks["pgd"].accuracy < 1
    assert [flag.name for flag in evaluation.inspection if flag.raised] == []


def test_other_files_of_a_network_give_the_same_numbers(folder: Path, attacks: RobustnessConfig) -> None:
    network, images = mine("Channels"), read_images("images.npz")
    program = torch.export.export(
        network, (torch.rand(2, 3, 16, 16),), dynamic_shapes=({0: torch.export.Dim("batch")},)
    )
    torch.export.save(program, folder / "network.pt2")
    torch.onnx.export(program, f=folder / "network.onnx", dynamo=True, verbose=False)
    first, exported, onnx = (
        evaluate(name, images, config=attacks, store=Store(folder / f"store of {name}"))
        for name in ("mine:Channels", "network.pt2", "network.onnx")
    )
    assert exported.white_box == first.white_box
    # An ONNX network has no gradients: what needs them is left out, and the evaluation says so.
    assert list(onnx.white_box.attacks) == ["square", "l0"]
    assert onnx.settings.attacks["square"].method == "square"
    assert onnx.white_box.curve is None
    assert onnx.white_box.right_images == first.white_box.right_images
    assert [flag.name for flag in onnx.flags if flag.raised] == ["no_gradients"]


def test_the_normalisation_comes_before_the_network(folder: Path) -> None:
    images = torch.rand(4, 3, 16, 16)
    wrapped = Normalised(mine("Channels"), mean=(0.5, 0.25, 0.0), std=(2.0, 1.0, 0.5))
    channels = images.mean(dim=(2, 3))
    expected = 40 * (channels - torch.tensor([0.5, 0.25, 0.0])) / torch.tensor([2.0, 1.0, 0.5])
    assert torch.allclose(wrapped(images), expected, atol=1e-4)
    assert not wrapped.train().network.training


@pytest.mark.parametrize(
    ("network", "flag"),
    [
        ("Probabilities", "probabilities"),
        ("Random", "random"),
        ("NoGradients", "no_gradients"),
        ("Normalising", "guesses"),
        ("Channels", None),
    ],
)
def test_flags_of_a_network(folder: Path, network: str, flag: str | None) -> None:
    images = read_images("images.npz")
    wrapped = Normalised(mine(network), mean=[0.0], std=[1.0])
    inspection = inspect_network(wrapped, images.split, class_names=(), name=network)
    raised = {found.name for found in inspection.flags if found.raised}
    # Randomness looks like dependence on the batch too.
    assert raised - {"depends_on_batch"} == ({flag} if flag else set())
    assert inspection.has_gradients == (network != "NoGradients")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("mine:TwoClasses", "expected 3 logits, one per class of the images, got 2"),
        ("mine:Pair", "expected a tensor of logits back, got tuple"),
        ("mine:OtherSize", r"cannot take images \(15, 3, 16, 16\) in \[0, 1\] \(RuntimeError"),
        ("mine:no_network", "expected a torch.nn.Module back, got str"),
        ("mine:broken", r"cannot be called \(ValueError: no weights here\)"),
        ("mine:Nothing", "cannot be called .AttributeError"),
        ("nowhere:Network", "cannot be called .ModuleNotFoundError"),
        ("weights.pth", "runs code when it is read"),
        ("nothing.pt2", "no such file"),
        ("nothing", r"expected a \.pt2 file of torch\.export"),
        ("damaged.pt2", r"cannot be read as a torch\.export file"),
        ("damaged.onnx", "cannot be read as an ONNX file"),
        ("fixed.pt2", r"export it for batches of any size \(torch\.export\.Dim\)"),
    ],
)
def test_what_is_no_network_for_these_images_gives_one_line(
    folder: Path, attacks: RobustnessConfig, name: str, told: str
) -> None:
    for damaged in ("damaged.pt2", "damaged.onnx"):
        (folder / damaged).write_bytes(b"nothing")
    if name == "fixed.pt2":
        torch.export.save(torch.export.export(mine("Channels"), (torch.rand(4, 3, 16, 16),)), folder / name)
    with pytest.raises(ConfigError, match=told) as caught:
        evaluate(name, read_images("images.npz"), config=attacks, store=Store(folder / "store"))
    assert "\n" not in str(caught.value)


def test_an_interrupted_run_goes_on(folder: Path, attacks: RobustnessConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was finished before the end is not done again, and the result is that of a run without a break."""
    images = read_images("images.npz")
    whole = evaluate("mine:Channels", images, config=attacks, store=Store(folder / "whole"))
    real, done = Store.write, []

    def write(self: Store, kind: str, key: str, content: object) -> None:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(key)
        real(self, kind, key, content)

    monkeypatch.setattr(Store, "write", write)
    with pytest.raises(KeyboardInterrupt):
        evaluate("mine:Channels", images, config=attacks, store=Store(folder / "store"))
    monkeypatch.setattr(Store, "write", real)
    kept = {path: path.stat().st_mtime_ns for path in (folder / "store").rglob("*.json")}
    assert len(kept) == 2
    assert evaluate("mine:Channels", images, config=attacks, store=Store(folder / "store")) == whole
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())


def test_a_network_without_gradients_needs_an_attack_without(attacks: RobustnessConfig) -> None:
    alone = attacks.model_copy(update={"attacks": {"pgd": attacks.attacks["pgd"]}})
    with pytest.raises(ConfigError, match="none of the attacks works without; add square or noise"):
        black_box(alone)
    blind = black_box(attacks).attacks["l0"].model_dump()["attacks"]
    assert [attack["method"] for attack in blind] == ["random_search"]
    assert blind[0]["greedy_candidates"] == 0


def test_costly_attacks_see_fewer_images(folder: Path) -> None:
    """With `fewer`, also where attacks of it are left out, and where less images than that are asked for."""
    text = ATTACKS.replace("images: 15", "images: 15\n  fewer: {images: 6, attacks: [autoattack, pgd]}")
    (folder / "fewer.yaml").write_text(text)
    images = read_images("images.npz")
    for name, number, seen in (("Channels", None, 6), ("NoGradients", None, 6), ("Channels", 4, 4)):
        config = attacks_of("fewer.yaml", images=number)
        evaluation = evaluate(f"mine:{name}", images, config=config, store=Store(folder / f"{name} {number}"))
        evaluation.save(folder / "evaluation.json")
        assert Evaluation.load(folder / "evaluation.json") == evaluation
        costly = "square" if name == "NoGradients" else "autoattack"
        assert len(evaluation.white_box.attacks[costly].robust_images) == seen
        assert len(evaluation.white_box.attacks["l0"].robust_images) == (number or 15)
        write_evaluation_page(evaluation, folder / "evaluation.html")


def test_the_command_writes_a_record_and_a_page(folder: Path, capsys: pytest.CaptureFixture[str], root_logger) -> None:
    (folder / "attacks.yaml").write_text(ATTACKS)
    assert main(["evaluate", "mine:Channels", "--images", "images.npz", "--attacks", "attacks.yaml"]) == 0
    evaluation = Evaluation.load("results/evaluated/mine_Channels/evaluation.json")
    out = capsys.readouterr().out
    assert out.startswith("Of 15 images 100.0 (79.6–100.0) % are right without an attack.\n")
    page = Path("results/evaluated/mine_Channels/evaluation.html").read_text()
    left = evaluation.white_box.attacks["autoattack"]
    # RobustBench's column: what the four attacks together leave, of all images.
    assert sum(left.found_by.values()) == 15 - left.correct
    assert f"<span>{100 * left.accuracy:.2f}</span>" in page or f">{100 * left.accuracy:.2f}</td>" in page
    for section in ("attacks", "autoattack", "curve", "distances", "flags", "made"):
        assert f'id="{section}"' in page or section == "distances"
    assert "http" not in page.replace("http-equiv", "")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--std", "0.2,0"], "expected a number or three"),
        (["--std", "0"], "expected positive numbers"),
        (["--mean", "half"], "expected a number or three"),
        (["--number", "0"], "expected a whole number from 1 on"),
    ],
)
def test_arguments_that_cannot_be(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["evaluate", "mine:Channels", "--images", "digits", *arguments])
    assert told in capsys.readouterr().err


def test_a_configuration_without_attacks(folder: Path) -> None:
    Path("none.yaml").write_text("experiment: x\n")
    with pytest.raises(ConfigError, match=r"none\.yaml: expected a section robustness"):
        attacks_of("none.yaml")
    Path("wrong.yaml").write_text("robustness: {attacks: {pgd: {method: pgd, eps: -1, alpha: 1, steps: 1}}}\n")
    with pytest.raises(ConfigError, match=r"wrong\.yaml: robustness\.attacks\.pgd\.eps: expected"):
        attacks_of("wrong.yaml")
    assert json.loads(attacks_of(None).model_dump_json())["attacks"]["autoattack_8"]["eps"] == 8.0
    assert Memory().read({}) == []
    assert np.isclose(attacks_of(None, images=7).images, 7)
