"""Trains a target network and measures it on validation and test images; nothing is chosen on either."""

from roco.data.dataset import Dataset
from roco.networks.files import save_network
from roco.networks.spec import NetworkDescription, TargetSpec
from roco.runtime import job, seed_from
from roco.settings import Recipe
from roco.storage.store import Store
from roco.training.records import TargetMetrics
from roco.training.train_or_load import TrainingRequest, error_on, train_or_load

if __name__ == "__main__":
    with job(snakemake):
        name, params = snakemake.wildcards.target, snakemake.params
        dataset, recipe = Dataset.load(snakemake.input.dataset), Recipe(**params.training)
        spec = TargetSpec(
            name=name,
            architecture=params.architecture,
            classes=dataset.classes,
            image_size=dataset.image_size,
        )
        # The test target has other weights than the search's target of the same name.
        seed = seed_from("target" if params.split == "validation" else "test target", params.seed, name)
        result = train_or_load(
            TrainingRequest(spec, seed_from("weights", seed), seed_from("order", seed)),
            dataset,
            recipe=recipe,
            device=snakemake.config.get("device", "auto"),
            store=Store(params.store),
        )
        network = result.trained
        description = NetworkDescription(spec=spec, dataset_fingerprint=dataset.fingerprint)
        save_network(snakemake.output.network, network, description)
        TargetMetrics(
            target=name,
            split=params.split,
            seed=params.seed,
            architecture=params.architecture,
            parameters=sum(parameter.numel() for parameter in network.parameters()),
            epochs=recipe.epochs,
            precision=result.precision,
            train_loss=tuple(result.losses),
            validation_error=error_on(dataset.validation, network),
            test_error=error_on(dataset.test, network),
            seconds=round(result.seconds, 3),
        ).save(snakemake.output.metrics)
