"""Attacks that see some of the attacked images alone."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from roco.attacks.protocol import Memory, evaluate_robustness
from roco.attacks.settings import RobustnessConfig
from roco.data.dataset import Split

CPU = torch.device("cpu")
PGD = {"method": "pgd", "eps": 2.0, "alpha": 1.0, "steps": 4}


class Kept(Memory):
    """Keeps everything, as a store does."""

    def __init__(self) -> None:
        self.chunks: dict[str, list[object]] = {}

    def read(self, settings: Mapping[str, object]) -> list[object]:
        return list(self.chunks.get(json.dumps(settings), []))

    def write(self, settings: Mapping[str, object], chunks: Sequence[Any]) -> None:
        self.chunks[json.dumps(settings)] = [chunk.model_dump() for chunk in chunks]


def protocol(images: int, fewer: dict[str, object] | None = None) -> RobustnessConfig:
    return RobustnessConfig.model_validate(
        {
            "images": images,
            "attacks": {"fgsm": {"method": "fgsm", "eps": 2.0}, "pgd": PGD},
            "curve": {"radii": [0.5, 2.0], "steps": 2, "targets": 0},
            "smallest_perturbations": {"deepfool": {"method": "deepfool", "steps": 3}},
            "checks": {"steps": 4, "restarts": 2, "queries": 5},
            "fewer": fewer,
        }
    )


@pytest.fixture
def attacked(make_linear: Callable[..., nn.Module], make_split: Callable[..., Split]) -> tuple[nn.Module, Split]:
    network = make_linear(classes=3)
    return network, make_split(network, 12, spread=20)


def test_some_see_fewer_images_and_do_to_them_what_they_do_alone(attacked: tuple[nn.Module, Split]) -> None:
    few = evaluate_robustness(*attacked, config=protocol(4), device=CPU)
    result = evaluate_robustness(*attacked, config=protocol(10, {"images": 4, "attacks": ["pgd"]}), device=CPU)
    assert (result.images, len(result.right_images), len(result.attacks["fgsm"].robust_images)) == (10, 10, 10)
    assert result.right_images[:4] == few.right_images
    assert result.attacks["fgsm"].robust_images[:4] == few.attacks["fgsm"].robust_images
    for name in ("curve", "smallest_perturbations", "flags"):
        assert getattr(result, name) == getattr(few, name)
    assert result.attacks["pgd"] == few.attacks["pgd"]


def test_what_was_kept_for_fewer_images_is_not_taken_for_all(attacked: tuple[nn.Module, Split]) -> None:
    memory = Kept()
    some = protocol(10, {"images": 4, "attacks": ["pgd"]})
    all_of_them = protocol(10, {"images": 4, "attacks": []})
    evaluate_robustness(*attacked, config=some, device=CPU, memory=memory)
    again = evaluate_robustness(*attacked, config=all_of_them, device=CPU, memory=memory)
    assert again == evaluate_robustness(*attacked, config=all_of_them, device=CPU)
    assert len(again.attacks["pgd"].robust_images) == 10


@pytest.mark.parametrize(
    ("fewer", "message"),
    [({"images": 11}, "at most images"), ({"images": 4, "attacks": ["bim"]}, "got 'bim', which is none")],
)
def test_fewer_than_all_and_attacks_that_there_are(fewer: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        protocol(10, fewer)
