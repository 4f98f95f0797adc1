import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_records import DECODER, spec_of
from tiny_study import CELLS, GENOMES, RECIPE, TinyStudy, make_tiny_study

from roco.search.evaluation import EVALUATION_VERSION, EvaluationSettings, Evaluator, dataset_shape, failed_evaluation
from roco.search.records import Evaluation, read_evaluations, write_evaluations
from roco.settings import Recipe
from roco.space.genome import Genome
from roco.storage.artifacts import digest
from roco.training import loop


def settings_of(tiny: TinyStudy, **changes: Any) -> EvaluationSettings:
    paths = {"dataset": str(tiny.dataset_path), "adversarial_set": str(tiny.adversarial_path)}
    decoder = {name: changes.pop(name, value) for name, value in dict(DECODER).items()}
    others = {"recipe": RECIPE, "seed": 0, "device": "cpu"}
    return EvaluationSettings(**{**paths, **others, "decoder": decoder, **changes})


def without_seconds(evaluation: Evaluation) -> Evaluation:
    return evaluation.model_copy(update={"seconds": 0.0})


def test_a_record_says_what_the_trained_network_does(
    tiny: TinyStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[torch.nn.Module] = []
    train_together = loop.train_together

    def keep(trainings: list[loop.Training], *arguments: Any, **named: Any) -> None:
        train_together(trainings, *arguments, **named)
        trained.extend(one.network for one in trainings)

    monkeypatch.setattr(loop, "train_together", keep)
    record = Evaluator(settings_of(tiny)).evaluate(GENOMES[1])

    def wrong(images: np.ndarray, labels: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            logits = trained[0].eval()(torch.from_numpy(images.astype(np.float32) / 255))
        return logits.numpy().argmax(axis=1) != labels

    validation, adversarial = tiny.dataset.validation, tiny.adversarial
    assert record.error == pytest.approx(wrong(validation.images, validation.labels).mean())
    fooled = wrong(adversarial.images, adversarial.labels)
    assert record.adversarial_error == pytest.approx(fooled.mean())
    ends = np.cumsum([count for *_, count in CELLS])
    assert [dict(cell) for cell in record.adversarial_breakdown] == [
        {
            "target": target,
            "norm": norm,
            "threshold": threshold,
            "images": count,
            "errors": fooled[end - count : end].sum(),
        }
        for (target, norm, threshold, count), end in zip(CELLS, ends, strict=True)
    ]
    cost = spec_of(GENOMES[1]).cost
    assert (record.flops, record.parameters) == (cost.flops, cost.parameters)
    assert cost.parameters == sum(parameter.numel() for parameter in trained[0].parameters())
    assert (record.status, record.reason, record.device, record.epochs) == ("ok", None, "cpu", 2)
    assert len(record.train_loss) == 2
    assert record.seconds > 0
    write_evaluations(tmp_path / "evaluations.json", [record])
    assert read_evaluations(tmp_path / "evaluations.json") == [record]


def test_an_evaluation_belongs_to_phenotype_and_seed_whatever_came_before(tiny: TinyStudy) -> None:
    evaluator = Evaluator(settings_of(tiny))
    first, _, again = (evaluator.evaluate(genome) for genome in (GENOMES[1], GENOMES[0], GENOMES[1]))
    assert without_seconds(first) == without_seconds(again)
    # (none, A) is (A, none).
    swapped = evaluator.evaluate(Genome.parse("0000-0110"))
    assert without_seconds(swapped) == without_seconds(first).model_copy(update={"genome": "0000-0110"})
    other = Evaluator(settings_of(tiny, seed=1)).evaluate(GENOMES[1])
    assert other.train_loss != first.train_loss


def test_genomes_of_a_job_have_the_records_that_they_have_alone(tiny: TinyStudy) -> None:
    evaluator = Evaluator(settings_of(tiny))
    alone = [evaluator.evaluate(genome) for genome in GENOMES]
    ended = list(evaluator.evaluate_all(GENOMES, largest_stack=3))
    assert [[genome for genome, _ in part] for part in ended] == [[genome] for genome in GENOMES]
    assert [without_seconds(part[0][1]) for part in ended] == [without_seconds(record) for record in alone]


def test_a_stack_is_measured_as_one_and_its_records_say_how_many_it_had(
    tiny: TinyStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluator = Evaluator(settings_of(tiny))
    alone = [evaluator.evaluate(genome) for genome in GENOMES]
    monkeypatch.setattr(loop, "stacks_on", lambda device: True)
    [ended] = evaluator.evaluate_all(GENOMES, largest_stack=3)
    assert [record.stack for _, record in ended] == [3] * 3
    assert len({record.seconds for _, record in ended}) == 1
    for (genome, record), expected in zip(ended, alone, strict=True):
        assert (record.key, record.status, expected.stack) == (genome.key, "ok", 1)
        assert record.train_loss == pytest.approx(expected.train_loss, rel=1e-3)
        # A prediction may turn by rounding.
        for name in ("error", "adversarial_error"):
            assert abs(getattr(record, name) - getattr(expected, name)) < 0.2


def test_a_training_that_diverges_is_a_record_with_the_worst_errors(tiny: TinyStudy, tmp_path: Path) -> None:
    recipe = Recipe(**RECIPE | {"learning_rate": 1e36, "gradient_clip": None})
    record = Evaluator(settings_of(tiny, recipe=recipe)).evaluate(GENOMES[2])
    cost = spec_of(GENOMES[2]).cost
    assert record.status == "failed"
    assert record.reason.startswith("the training loss of epoch")
    assert (record.error, record.adversarial_error, record.adversarial_breakdown) == (1.0, 1.0, ())
    assert (record.flops, record.parameters) == (cost.flops, cost.parameters)
    # JSON has no NaN.
    write_evaluations(tmp_path / "evaluations.json", [record])


def test_any_other_error_is_a_crash(tiny: TinyStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("shapes cannot be multiplied")

    monkeypatch.setattr(loop, "train_together", broken)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        Evaluator(settings_of(tiny)).evaluate(GENOMES[0])


def test_a_failed_evaluation_knows_its_cost_and_reason(tiny: TinyStudy) -> None:
    assert dataset_shape(tiny.dataset_path) == (16, 3)
    settings = settings_of(tiny)
    assert settings.spec(GENOMES[0]) == spec_of(GENOMES[0])
    record = failed_evaluation(settings.spec(GENOMES[0]), settings, reason="killed")
    assert (record.status, record.reason, record.error) == ("failed", "killed", 1.0)


def test_store_keys_differ_with_all_that_decides_an_evaluation(tiny: TinyStudy, tmp_path: Path) -> None:
    others = make_tiny_study(tmp_path, seed=50)
    settings = [
        settings_of(tiny),
        settings_of(tiny, recipe=Recipe(**RECIPE | {"epochs": 3})),
        settings_of(tiny, recipe=Recipe(**RECIPE | {"precision": "bf16"})),
        settings_of(tiny, channels=3),
        settings_of(tiny, stem_padding=1),
        settings_of(tiny, seed=1),
        settings_of(tiny, device="cuda"),
        settings_of(tiny, dataset=str(others.dataset_path)),
        settings_of(tiny, adversarial_set=str(others.adversarial_path)),
    ]
    keys = [setting.store_key(GENOMES[0]) for setting in settings]
    assert len(set(keys)) == len(keys)
    assert settings[0].store_key(GENOMES[1]) not in keys


def test_store_keys_are_equal_where_the_evaluation_is(tiny: TinyStudy, tmp_path: Path) -> None:
    moved = {}
    for name, path in (("dataset", tiny.dataset_path), ("adversarial_set", tiny.adversarial_path)):
        moved[name] = str(shutil.copy(path, tmp_path / f"moved_{name}.h5"))
    key = settings_of(tiny).store_key(Genome.parse("0110-0000"))
    assert settings_of(tiny, **moved).store_key(Genome.parse("0000-0110")) == key
    reordered = Recipe(**dict(reversed(RECIPE.items())))
    assert settings_of(tiny, recipe=reordered).store_key(GENOMES[1]) == key
    assert key.startswith(f"{GENOMES[1].key}-")
    # What auto means is part of the key, not the word.
    auto = settings_of(tiny, recipe=Recipe(**RECIPE | {"precision": "auto"}))
    said = settings_of(tiny, recipe=Recipe(**RECIPE | {"precision": auto.precision}))
    assert auto.store_key(GENOMES[1]) == said.store_key(GENOMES[1])


def test_a_number_of_channels_keeps_its_key_and_a_list_has_its_own(tiny: TinyStudy) -> None:
    # The key of before widths could be given, with what decides it written out.
    settings = settings_of(tiny)
    decided_by = {
        "dataset": tiny.dataset.fingerprint,
        "adversarial_set": settings._decided_by()["adversarial_set"],
        "recipe": RECIPE,
        "channels": 2,
        "stem_padding": 0,
        "seed": settings.seed,
        "device": "cpu",
        "node": "residual",
        "version": EVALUATION_VERSION,
        "key": GENOMES[1].key,
    }
    assert settings.store_key(GENOMES[1]) == f"{GENOMES[1].key}-{digest(decided_by, length=20)}"
    listed = settings_of(tiny, channels=[2, 4])
    assert listed.store_key(GENOMES[1]) != settings.store_key(GENOMES[1])
    # Another key and the same network: only the doubling is written out.
    one, two = (Evaluator(each).evaluate(GENOMES[1]) for each in (settings, listed))
    assert (one.train_loss, one.flops, one.error) == (two.train_loss, two.flops, two.error)


def test_dense_nodes_are_counted_as_they_are_built(tiny: TinyStudy) -> None:
    dense = settings_of(tiny, node="dense")
    assert settings_of(tiny).store_key(GENOMES[1]) != dense.store_key(GENOMES[1])
    record = Evaluator(dense).evaluate(GENOMES[1])
    cost = spec_of(GENOMES[1], node="dense").cost
    assert (record.status, record.flops, record.parameters) == ("ok", cost.flops, cost.parameters)
    failed = failed_evaluation(dense.spec(GENOMES[1]), dense, reason="none")
    assert (failed.flops, failed.parameters) == (cost.flops, cost.parameters)


def test_preactivation_nodes_are_another_evaluation_of_the_same_cost(tiny: TinyStudy) -> None:
    residual, preactivation = (
        settings_of(tiny),
        settings_of(tiny, node="preactivation"),
    )
    assert residual.store_key(GENOMES[1]) != preactivation.store_key(GENOMES[1])
    one, two = (Evaluator(settings).evaluate(GENOMES[1]) for settings in (residual, preactivation))
    assert one.train_loss != two.train_loss
    assert (one.flops, one.parameters, two.status) == (two.flops, two.parameters, "ok")
