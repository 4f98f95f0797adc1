"""Trains a target network and measures it on validation and test images; nothing is chosen on either."""

from roco.data.dataset import Dataset
from roco.networks.files import describe_target, save_network
from roco.runtime import job, seed_from
from roco.settings import Recipe
from roco.storage.artifacts import write_json
from roco.storage.store import Store
from roco.training.stored import fit, measure, target_request

if __name__ == "__main__":
    with job(snakemake):
        name, params = snakemake.wildcards.target, snakemake.params
        dataset = Dataset.load(snakemake.input.dataset)
        description = describe_target(name, params.architecture, classes=dataset.classes, image_size=dataset.image_size)
        fitted = fit(
            # Other weights than those of the search's target of this name.
            target_request(
                description,
                seed_from("target" if params.split == "validation" else "test target", params.seed, name),
            ),
            dataset,
            recipe=Recipe(**params.training),
            device=snakemake.config.get("device", "auto"),
            store=Store(params.store),
        )
        description |= {"dataset_fingerprint": dataset.fingerprint}
        network = fitted.trained
        save_network(snakemake.output.network, network, description)
        metrics = {
            "target": name,
            "split": params.split,
            "seed": params.seed,
            "architecture": params.architecture,
            "parameters": sum(parameter.numel() for parameter in network.parameters()),
            "epochs": params.training["epochs"],
            "precision": fitted.precision,
            "train_loss": fitted.losses,
            "validation_error": measure(network, dataset.validation),
            "test_error": measure(network, dataset.test),
            "seconds": round(fitted.seconds, 3),
        }
        write_json(snakemake.output.metrics, "target", metrics)
