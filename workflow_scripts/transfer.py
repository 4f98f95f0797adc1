"""Measures how far the test adversarial set transfers between its targets, beside noise."""

from pathlib import Path

from roco.attacks.records import Transfer
from roco.attacks.sets import AdversarialSet
from roco.data.dataset import Dataset
from roco.networks.files import load_network
from roco.runtime import job, start_torch

if __name__ == "__main__":
    with job(snakemake):
        from roco.attacks.sets.transfer import measure_transfer

        device = start_torch(snakemake.config.get("device", "auto"))
        dataset = Dataset.load(snakemake.input.dataset)
        made_for = {"split": "test", "dataset_fingerprint": dataset.fingerprint}
        adversarial = AdversarialSet.load(snakemake.input.adversarial, made_for)
        networks = {}
        for path in snakemake.input.networks:
            # .../{target}/network.safetensors
            name = Path(path).parent.name
            network, _ = load_network(path, {"name": name, "dataset_fingerprint": dataset.fingerprint})
            networks[name] = network.to(device)
        pairs = measure_transfer(adversarial, networks, dataset.test, seed=snakemake.params.seed)
        Transfer(split="test", dataset_fingerprint=dataset.fingerprint, pairs=pairs).save(snakemake.output.transfer)
