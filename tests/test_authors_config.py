"""The authors' procedure, as far as it can be run."""

from pathlib import Path

from roco.config import DatasetConfig, load_config


def test_the_authors_procedure_is_a_configuration() -> None:
    config = load_config(Path(__file__).parents[1] / "configs" / "authors.yaml")
    assert (config.node_of("evaluation"), config.node_of("retraining")) == ("residual", "dense")
    assert (config.evaluation.channels, config.retraining.channels) == (16, [128, 128, 128])
    assert [kind.objectives for kind in config.search.searches.values()] == [
        ["error", "flops"],
        ["summed_error", "flops"],
    ]
    assert config.dataset.validation_fraction == DatasetConfig(name="cifar10").validation_fraction == 0.2
    assert config.targets.test is None
