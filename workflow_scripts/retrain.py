"""Trains the networks of a front at length, once for each training seed; slots past its end get empty files."""

from roco.config import check_config
from roco.gpus import usable_device
from roco.networks.files import save_no_network
from roco.retraining.records import EmptySlot, Slot, write_training
from roco.retraining.retrain import Retraining, RetrainingSettings, retrain
from roco.runtime import job
from roco.search.records import Front
from roco.storage.artifacts import read_attributes
from roco.storage.store import Store
from roco.study.files import ADVERSARIAL
from roco.study.layout import Layout

if __name__ == "__main__":
    with job(snakemake):
        params, output = snakemake.params, snakemake.output
        front = {"search": snakemake.wildcards.search, "seed": int(snakemake.wildcards.seed)}
        fingerprint = read_attributes(snakemake.input.dataset, "dataset")["fingerprint"]
        networks = Front.load(snakemake.input.front, front | {"dataset_fingerprint": fingerprint}).networks
        # Not from params: larger stacks are no reason to train again.
        config = check_config(snakemake.config)
        trainings = Layout(config).trainings(slots=len(output.networks) // len(config.retraining.seeds))
        retrainings, files = [], []
        for training, network_path, training_path in zip(trainings, output.networks, output.trainings, strict=True):
            slot = Slot(**front, **training, adversarial=snakemake.wildcards.retrained == ADVERSARIAL)
            if slot.slot < len(networks):
                individual = networks[slot.slot]
                retrainings.append(Retraining(individual=individual, slot=slot, network_path=network_path))
                files.append(training_path)
            else:
                save_no_network(network_path)
                write_training(training_path, EmptySlot(**dict(slot)))
        records = retrain(
            retrainings,
            RetrainingSettings(decoder=params.settings, **params.settings),
            dataset_path=snakemake.input.dataset,
            device=usable_device(snakemake.config.get("device", "auto")),
            store=Store(params.store),
            processes=snakemake.threads,
            largest_stack=config.retraining.largest_stack,
            log_file=snakemake.log[0],
        )
        for path, record in zip(files, records, strict=True):
            write_training(path, record)
