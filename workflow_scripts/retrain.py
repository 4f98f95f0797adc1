"""Trains the network in a slot of a front at length; an empty slot gives empty files."""

from roco.artifacts import read_attributes, write_json, write_tensors
from roco.networks import KIND
from roco.retraining import RetrainingSettings, occupant, retrain
from roco.runtime import job
from roco.store import Store

if __name__ == "__main__":
    with job(snakemake):
        params, output = snakemake.params, snakemake.output
        where = {
            "search": snakemake.wildcards.search,
            "seed": int(snakemake.wildcards.seed),
            "slot": int(snakemake.wildcards.slot),
            "training_seed": int(snakemake.wildcards.training_seed),
        }
        made_for = {
            "search": where["search"],
            "seed": where["seed"],
            "dataset_fingerprint": read_attributes(snakemake.input.dataset, "dataset")["fingerprint"],
        }
        individual = occupant(snakemake.input.front, slot=where["slot"], made_for=made_for)
        if individual is None:
            write_tensors(output.network, KIND, {}, {})
            write_json(output.training, "training", {"status": "empty", **where})
        else:
            settings = RetrainingSettings(
                channels=params.channels,
                training=params.training,
                validation_images_too=params.validation_images_too,
                seed=where["training_seed"],
                stem_padding=params.stem_padding,
                node=params.node,
            )
            training = retrain(
                individual,
                settings,
                dataset_path=snakemake.input.dataset,
                network_path=output.network,
                device=snakemake.config.get("device", "auto"),
                store=Store(params.store),
            )
            write_json(output.training, "training", {**training, **where})
