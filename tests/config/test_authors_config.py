"""The authors' procedure, as far as it can be run; and recipes that are given in part."""

from pathlib import Path
from typing import Any

import pytest

from roco.config import check_config, load_config
from roco.data.settings import DatasetConfig


def test_the_authors_procedure_is_a_configuration() -> None:
    config = load_config(Path(__file__).parents[2] / "configs" / "authors.yaml")
    assert (config.node_of("evaluation"), config.node_of("retraining")) == ("residual", "dense")
    assert (config.evaluation.channels, config.retraining.channels) == (16, [128, 128, 128])
    assert [kind.objectives for kind in config.search.searches.values()] == [
        ["error", "flops"],
        ["summed_error", "flops"],
    ]
    assert config.dataset.validation_fraction == DatasetConfig(name="cifar10").validation_fraction == 0.2
    assert config.targets.test is None


@pytest.mark.parametrize("part", ["targets", "retraining"])
def test_a_recipe_that_is_given_in_part_keeps_the_rest_of_its_own_default(part: str) -> None:
    study: dict[str, Any] = {"experiment": "a", "dataset": {"name": "digits"}}
    default = getattr(check_config(study), part).training
    found = getattr(check_config({**study, part: {"training": {"epochs": 3}}}), part).training
    assert found == default.model_copy(update={"epochs": 3})
    assert found != check_config({**study, "evaluation": {"training": {"epochs": 3}}}).evaluation.training
