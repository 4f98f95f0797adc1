"""Trains the networks of a front at length, once for each training seed; a slot past its end gets empty files."""

from roco.config import check_config
from roco.gpus import usable_device
from roco.networks.files import save_no_network
from roco.retraining.records import EmptySlot, Slot, write_training
from roco.retraining.retrain import Retraining, RetrainingSettings, retrain
from roco.runtime import job
from roco.search.records import Front
from roco.storage.artifacts import read_attributes
from roco.storage.store import Store
from roco.study.layout import retrained_place

if __name__ == "__main__":
    with job(snakemake):
        params, output = snakemake.params, snakemake.output
        made_for = {
            "search": snakemake.wildcards.search,
            "seed": int(snakemake.wildcards.seed),
            "dataset_fingerprint": read_attributes(snakemake.input.dataset, "dataset")["fingerprint"],
        }
        networks = Front.load(snakemake.input.front, made_for).networks
        retrainings, files = [], []
        for network_path, training_path in zip(output.networks, output.trainings, strict=True):
            names = ("search", "seed", "slot", "training_seed")
            slot = Slot(**dict(zip(names, retrained_place(network_path), strict=True)))
            if slot.slot < len(networks):
                individual = networks[slot.slot]
                retrainings.append(Retraining(individual=individual, slot=slot, network_path=network_path))
                files.append(training_path)
            else:
                save_no_network(network_path)
                write_training(training_path, EmptySlot(**dict(slot)))
        # Not of params: how many train at once is no reason to train again.
        config = check_config(snakemake.config).retraining
        records = retrain(
            retrainings,
            RetrainingSettings(decoder=params.settings, **params.settings),
            dataset_path=snakemake.input.dataset,
            device=usable_device(snakemake.config.get("device", "auto")),
            store=Store(params.store),
            processes=snakemake.threads,
            largest_stack=config.largest_stack,
            log_file=snakemake.log[0],
        )
        for path, record in zip(files, records, strict=True):
            write_training(path, record)
