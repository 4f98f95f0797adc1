"""Objectives by name: their values in records, their selections, and the examples of the page on own objectives."""

import contextlib
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from made_records import DECODER, evaluation
from made_records import individual as made_individual
from tiny_study import GENOMES, RECIPE, TinyStudy

from roco.config import check_config
from roco.errors import ConfigError
from roco.search import objectives
from roco.search.evaluation import EvaluationSettings, Evaluator
from roco.search.objectives import OBJECTIVES, parse, value_of
from roco.search.population import individual_of
from roco.search.records import Individual
from roco.search.survival import pareto_front, truncate
from roco.settings import Recipe

PAGE = Path(__file__).parents[2] / "docs/how-to/own-objective.md"
CELLS = [
    ("lenet", "l0", 1, 10, 4),
    ("lenet", "linf", 10, 30, 3),
    ("resnet", "l0", 10, 20, 8),
    ("resnet", "linf", 1, 0, 0),
]
RECORD = evaluation(
    adversarial_breakdown=[
        dict(zip(("target", "norm", "threshold", "images", "errors"), cell, strict=True)) for cell in CELLS
    ],
    measured={"latency": 1.5},
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("error", 0.25),
        ("adversarial_error", 0.75),
        ("flops", 100),
        ("parameters", 7),
        ("latency", 1.5),
        ("summed_error", 1.0),
        ("adversarial_error[l0]", 12 / 30),
        ("adversarial_error[linf]", 3 / 30),
        ("adversarial_error[10]", 11 / 50),
        ("adversarial_error[l0,10]", 8 / 20),
        ("adversarial_error[10, l0]", 8 / 20),
        ("adversarial_error[target=lenet]", 7 / 40),
        ("adversarial_error[linf,10,target=lenet]", 3 / 30),
    ],
)
def test_values_by_hand(text: str, value: float) -> None:
    assert value_of(text, RECORD) == pytest.approx(value)


@pytest.mark.parametrize("text", ["adversarial_error[linf,1]", "adversarial_error[target=vgg16]"])
def test_a_part_without_images_is_named(text: str) -> None:
    with pytest.raises(ConfigError, match=r"expected images of (norm linf,threshold 1|target vgg16) in the validation"):
        value_of(text, RECORD)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "erro",
            "expected error, adversarial_error, flops, parameters, latency, summed_error, source_error, ",
        ),
        ("error[l0]", "expected error without brackets, got"),
        ("adversarial_error[]", r"expected adversarial_error\[NORM,THRESHOLD,target=NAME\]"),
        ("adversarial_error[l0,linf]", "or some of these, once"),
        ("adversarial_error[l2]", "or some of these, once"),
        ("adversarial_error[l0", "expected error, "),
    ],
)
def test_malformed_texts_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(text)


@given(st.text(alphabet="adversl_eo[]=,0123 ", max_size=30) | st.text(max_size=20))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        name, selection = parse(text)
        assert name in OBJECTIVES
        assert set(selection) <= {"norm", "threshold", "target"}


def search_with(*texts: str, **changes: object) -> dict[str, object]:
    return {
        "experiment": "a",
        "dataset": {"name": "digits"},
        "search": {"searches": {"one": list(texts), "two": {"objectives": ["latency", "error"], "method": "sms_emoa"}}},
        **changes,
    }


def test_a_study_knows_what_to_measure_and_refuses_parts_that_it_does_not_have() -> None:
    assert check_config(search_with("error", "adversarial_error[l0,10]")).search.measurements == ["latency"]
    with pytest.raises(ConfigError, match=r"one\.objectives: expected a threshold of 1, 3, 5, 10, got '.*l0,4\]'"):
        check_config(search_with("adversarial_error[l0,4]"))
    others = dict.fromkeys(("lenet", "vgg16", "densenet"))
    with pytest.raises(ConfigError, match=r"expected a target of resnet, got 'adversarial_error\[target=lenet\]'"):
        check_config(search_with("adversarial_error[target=lenet]", targets=others))
    with pytest.raises(ConfigError, match=r"one\.objectives: expected different objectives"):
        check_config(search_with("adversarial_error[l0,10]", "adversarial_error[10,l0]"))


@pytest.mark.parametrize("page", ["own-searches", "own-objective"])
def test_the_pages_configurations_are_valid(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    own = dict.fromkeys(("noise_error", "depth"), OBJECTIVES["latency"])
    monkeypatch.setattr(objectives, "OBJECTIVES", {**OBJECTIVES, **own})
    monkeypatch.setattr("roco.search.settings.OBJECTIVES", {**OBJECTIVES, **own})
    blocks = re.findall(r"```yaml\n(.*?)```", (PAGE.parent / f"{page}.md").read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        check_config({"experiment": "a", "dataset": {"name": "digits"}, **yaml.safe_load(block)})


def individual(key: str, *, status: str = "ok", **further: float) -> Individual:
    return made_individual(key=key, status=status, error=0.5, flops=10, further=further)


def settings_of(tiny: TinyStudy, *measurements: str) -> EvaluationSettings:
    paths = {"dataset": str(tiny.dataset_path), "adversarial_set": str(tiny.adversarial_path)}
    decided = {"recipe": Recipe(**RECIPE), "decoder": DECODER, "measurements": measurements}
    return EvaluationSettings(**paths, **decided, seed=0, device="cpu")


def test_further_objectives_decide_who_survives_and_a_failed_one_comes_last() -> None:
    members = [individual("a", depth=3.0), individual("b", depth=1.0), individual("c", status="failed")]
    assert [member.key for member in truncate(members, ["depth"], size=2, seed=0, generation=0)] == ["b", "a"]
    assert [member.key for member in pareto_front(members, ["error", "depth"])] == ["b"]
    assert members[2].value("depth") == math.inf


def test_the_pages_examples_work_in_an_evaluation(tiny: TinyStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    space: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        exec(block, space)
    monkeypatch.setattr(objectives, "OBJECTIVES", {**OBJECTIVES, **space["own"], **space["own_measured"]})
    plain, asking = settings_of(tiny), settings_of(tiny, "latency", "noise_error")
    # Settings that ask for nothing have the key that they had before there was anything to ask for.
    assert plain.store_key(GENOMES[0]) != asking.store_key(GENOMES[0])
    assert "measurements" not in plain._decided_by()
    record, plain_record = Evaluator(asking).evaluate(GENOMES[0]), Evaluator(plain).evaluate(GENOMES[0])
    assert "measured" not in plain_record.model_dump()
    assert record.error == plain_record.error
    assert record.measured["latency"] > 0
    assert 0 <= record.measured["noise_error"] <= 1
    found = individual_of(record, born=0, objectives=("error", "depth", "noise_error"))
    # The one active phase has one edge, from its first node to its second.
    assert found.further == {"depth": 2.0, "noise_error": record.measured["noise_error"]}


def test_placebos_look_at_the_same_images_without_their_perturbations(tiny: TinyStudy) -> None:
    evaluator = Evaluator(settings_of(tiny, "source_error", "source_noise_error"))
    record = evaluator.evaluate(GENOMES[0])
    adversarial, validation = evaluator.adversarial, evaluator.dataset.validation
    seen: list[torch.Tensor] = []

    class Watched(torch.nn.Module):
        """Says class 0 of everything."""

        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            seen.append((images * 255).round().to(torch.uint8))
            return torch.tensor([[1.0, 0.0, 0.0, 0.0]]).expand(len(images), 4)

    images, labels = torch.from_numpy(validation.images), torch.from_numpy(validation.labels)
    for name in ("source_error", "source_noise_error"):
        value = OBJECTIVES[name].measure(Watched(), images, labels, adversarial)
        assert value == pytest.approx((adversarial.labels != 0).mean())
        assert 0 <= record.measured[name] <= 1
    clean, noisy = (part.numpy() for part in seen)
    assert (clean == validation.images[adversarial.source_index]).all()
    changes = abs(noisy.astype(int) - clean)
    linf, l0 = changes.max(axis=(1, 2, 3)), (changes.max(axis=1) > 0).sum(axis=(1, 2))
    size = np.where(adversarial.norm == b"linf", linf, l0)
    assert (size <= adversarial.threshold).all()
    assert (size > 0).mean() > 0.9


def test_a_study_with_placebos_measures_them_and_with_the_sum_nothing() -> None:
    assert check_config(search_with("error", "source_noise_error")).search.measurements == [
        "latency",
        "source_noise_error",
    ]
    assert check_config(search_with("summed_error", "flops")).search.measurements == ["latency"]


def test_latency_is_the_median_of_the_passes_after_the_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    # Slow while it warms up, then 1 ms but for one pass that was interrupted.
    seconds = [9.0] * 3 + [0.001] * 19 + [5.0]
    clock = iter([moment for passed in seconds for moment in (0.0, passed)])
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    shapes = []
    found = objectives.latency(
        lambda batch: shapes.append(batch.shape), torch.zeros(40, 3, 8, 8, dtype=torch.uint8), torch.zeros(40)
    )
    assert found == pytest.approx(1.0)
    assert shapes == [(32, 3, 8, 8)] * 23
