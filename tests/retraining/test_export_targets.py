"""Targets taken away, and what torch's exporters cannot do."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_study import TinyStudy

import roco
from roco.cli import main
from roco.networks.files import save_network
from roco.networks.settings import TargetsConfig
from roco.networks.spec import NetworkDescription, TargetSpec
from roco.training.records import TargetMetrics

SMALL_TARGETS = {
    "lenet": {"width": 0.5},
    "vgg16": {"width": 0.0625},
    "resnet": {"depth": 8, "width": 0.25},
    "densenet": {"depth": 10, "growth": 4},
}


def save_target(name: str, folder: Path) -> Path:
    torch.manual_seed(0)
    config = TargetsConfig.model_validate({name: SMALL_TARGETS[name]}).architectures()[name]
    spec = TargetSpec(name=name, architecture=config, classes=3, image_size=16)
    network = spec.build(mean=[0.5] * 3, std=[0.2] * 3)
    network(torch.rand(4, 3, 16, 16))  # moves the running statistics
    file = folder / f"targets/{name}/network.safetensors"
    save_network(file, network, NetworkDescription(spec=spec))
    return file


@pytest.mark.parametrize("name", SMALL_TARGETS)
def test_a_target_is_exported_like_the_others(name: str, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is in the extra 'export'")
    file = save_target(name, tmp_path)
    expected = roco.load(file)
    for file_format, suffix in (("onnx", ".onnx"), ("torch-export", ".pt2")):
        output = str(tmp_path / f"{name}{suffix}")
        assert main(["export", str(file), "--format", file_format, "--output", output]) == 0
    session = onnxruntime.InferenceSession(str(tmp_path / f"{name}.onnx"), providers=["CPUExecutionProvider"])
    program = torch.export.load(tmp_path / f"{name}.pt2").module()
    images = torch.rand(5, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    for batch in (images, images[:1]):
        logits = expected(batch).detach()
        (found,) = session.run(["logits"], {"images": batch.numpy()})
        np.testing.assert_allclose(found, logits.numpy(), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(program(batch), logits)
    card = (tmp_path / f"{name}.md").read_text()
    for said in (f"# Target network {name}\n", "No search: a published architecture", "- classes: 3", "Nothing yet."):
        assert said in card


def test_the_card_of_a_target_says_what_its_study_measured(tmp_path: Path, tiny: TinyStudy) -> None:
    file = save_target("lenet", tmp_path / "tiny")
    tiny.dataset.save(tmp_path / "tiny/dataset.h5")
    TargetMetrics(
        target="lenet",
        split="validation",
        seed=0,
        architecture={"width": 0.5},
        parameters=12345,
        epochs=7,
        precision="fp32",
        train_loss=(1.0,),
        validation_error=0.25,
        test_error=0.125,
        seconds=1.0,
    ).save(file.with_name("metrics.json"))
    assert main(["export", str(file), "--output", str(tmp_path / "a.safetensors")]) == 0
    card = (tmp_path / "a.md").read_text()
    for said in (
        "- width: 0.5",
        "- parameters: 12,345",
        "- epochs: 7",
        "- accuracy on validation images: 0.7500",
        "- accuracy on test images: 0.8750",
        "- tiny, classes: red, green, blue",
    ):
        assert said in card


def test_what_torch_cannot_export_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise torch._dynamo.exc.UserError(torch._dynamo.exc.UserErrorType.DYNAMIC_CONTROL_FLOW, "not\nthis one")

    monkeypatch.setattr(torch.export, "export", fails)
    call = ["export", str(save_target("lenet", tmp_path)), "--format", "torch-export"]
    assert main([*call, "--output", str(tmp_path / "n.pt2")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "torch cannot write it as torch-export (not this one" in said
    assert [path.name for path in tmp_path.iterdir()] == ["targets"]
