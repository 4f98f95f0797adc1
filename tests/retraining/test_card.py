"""The card of a network: what is wrong with a file of its study is said of that file."""

from pathlib import Path
from typing import Any

import pytest
from made_records import description_of, ended_training, measured_network, spec_of
from tiny_study import TinyStudy

from roco.errors import ArtifactError
from roco.networks.files import save_network
from roco.retraining.card import as_text, model_card
from roco.retraining.records import write_robustness, write_training
from roco.search.population import unevaluated
from roco.search.records import Front
from roco.storage.artifacts import read_arrays, read_json, write_arrays, write_json

SLOT = "retrained/roco/seed_0/slot_000/training_0"


@pytest.fixture
def study(tiny: TinyStudy, tmp_path: Path) -> Path:
    """An experiment's folder with one network; nothing was trained."""
    folder = tmp_path / "tiny"
    tiny.dataset.save(folder / "dataset.h5")
    front = Front(search="roco", seed=0, objectives=("error", "flops"), networks=(unevaluated(spec_of()),))
    front.save(folder / "search/roco/seed_0/front.json")
    description = description_of()
    network = description.spec.build(mean=[0.5] * 3, std=[0.2] * 3)
    save_network(folder / SLOT / "network.safetensors", network, description)
    write_training(folder / SLOT / "training.json", ended_training())
    write_robustness(folder / SLOT / "robustness.json", measured_network())
    return folder


def test_a_whole_study_has_a_card(study: Path) -> None:
    card = model_card(study / SLOT / "network.safetensors")
    for said in ("- parameters: 100", "- flops: ", "classes: red, green, blue", "- epochs: 2", "(eps 8.0): 0.2500"):
        assert said in card


def test_a_card_says_how_a_network_was_trained(study: Path) -> None:
    path = study / SLOT / "network.safetensors"
    assert "- no adversarial training; the weights of the last epoch" in model_card(path)
    settings = {"adversarial": {"method": "trades", "eps": 4.0, "steps": 5}}
    training = ended_training(adversarial=True, recipe=ended_training().recipe.model_dump() | settings)
    write_training(study / SLOT / "training.json", training)
    assert read_json(study / SLOT / "training.json", "training")["adversarial"] is True
    card = model_card(path)
    assert "- adversarially trained with TRADES (eps 4, alpha 2, steps 5, beta 6; eps and alpha in 1/255); the" in card
    assert "no adversarial training" not in card
    assert "- epochs: 2" in card


@pytest.mark.parametrize(
    ("name", "kind", "keys"),
    [
        (f"{SLOT}/training.json", "training", ["key"]),
        (f"{SLOT}/training.json", "training", ["flops"]),
        (f"{SLOT}/training.json", "training", ["recipe"]),
        (f"{SLOT}/robustness.json", "robustness", ["white_box"]),
        ("search/roco/seed_0/front.json", "front", ["networks"]),
    ],
)
def test_a_card_names_the_file_that_lacks_something(study: Path, name: str, kind: str, keys: list[str]) -> None:
    content: dict[str, Any] = read_json(study / name, kind)
    write_json(study / name, kind, {key: value for key, value in content.items() if key not in keys})
    check_named(study, study / name)


def test_a_card_names_the_data_set_that_lacks_something(study: Path) -> None:
    arrays, attributes = read_arrays(study / "dataset.h5", "dataset")
    del attributes["class_names"]
    write_arrays(study / "dataset.h5", "dataset", arrays, attributes)
    check_named(study, study / "dataset.h5")


def check_named(study: Path, path: Path) -> None:
    with pytest.raises(ArtifactError) as caught:
        model_card(study / SLOT / "network.safetensors")
    assert str(caught.value).startswith(f"{path}: ")


def test_names_of_classes_are_no_markup_in_a_card() -> None:
    names = ["$5_bill", "a*b*", "x|y", "<b>", "`c`", "日本語"]
    shown = ", ".join(map(as_text, names))
    assert shown == r"\$5\_bill, a\*b\*, x\|y, \<b\>, \`c\`, 日本語"
