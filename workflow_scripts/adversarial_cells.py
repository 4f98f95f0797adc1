"""Attacks a target with one norm at all thresholds, and writes the verified successes of each."""

from roco.attacks.settings import AdversarialConfig
from roco.data.dataset import Dataset
from roco.networks.files import load_network
from roco.runtime import job, start_torch
from roco.storage.store import Store

if __name__ == "__main__":
    with job(snakemake):
        from roco.attacks.sets.chain import attack_chain

        wildcards, params = snakemake.wildcards, snakemake.params
        device = start_torch(snakemake.config.get("device", "auto"))
        dataset = Dataset.load(snakemake.input.dataset)
        made_for = {"name": wildcards.target, "dataset_fingerprint": dataset.fingerprint}
        network, _ = load_network(str(snakemake.input.network), made_for)
        config = AdversarialConfig(
            **{
                "images": params.images,
                "thresholds": params.thresholds,
                f"{wildcards.norm}_attack": params.attack,
                "seed": params.seed,
            }
        )
        cells = attack_chain(
            network.to(device),
            dataset.split(wildcards.split),
            target=wildcards.target,
            norm=wildcards.norm,
            thresholds=params.thresholds,
            config=config,
            split_name=wildcards.split,
            dataset_fingerprint=dataset.fingerprint,
            device=device,
            store=Store(params.store),
        )
        for cell, path in zip(cells, snakemake.output.cells, strict=True):
            cell.save(path)
