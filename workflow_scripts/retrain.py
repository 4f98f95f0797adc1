"""Trains the networks of a front at length, once for each training seed; a slot past its end gets empty files."""

from pathlib import Path

from roco.config import check_config
from roco.gpus import usable_device
from roco.networks.files import KIND
from roco.retraining.fronts import Retraining, RetrainingSettings, occupants, retrain
from roco.runtime import job
from roco.storage.artifacts import read_attributes, write_json, write_tensors
from roco.storage.store import Store
from roco.study.layout import retrained_place

if __name__ == "__main__":
    with job(snakemake):
        params, output = snakemake.params, snakemake.output
        search, seed = snakemake.wildcards.search, int(snakemake.wildcards.seed)
        made_for = {
            "search": search,
            "seed": seed,
            "dataset_fingerprint": read_attributes(snakemake.input.dataset, "dataset")["fingerprint"],
        }
        files = {
            retrained_place(network): (Path(network), Path(training))
            for network, training in zip(output.networks, output.trainings, strict=True)
        }
        slots = 1 + max(slot for *_, slot, _ in files)
        front = occupants(snakemake.input.front, slots=slots, made_for=made_for)
        full = {place: paths for place, paths in files.items() if place[2] < len(front)}
        # Not of params: how many train at once is no reason to train again.
        config = check_config(snakemake.config).retraining
        records = retrain(
            [Retraining(front[slot], training_seed, paths[0]) for (*_, slot, training_seed), paths in full.items()],
            RetrainingSettings(**params.settings),
            dataset_path=snakemake.input.dataset,
            device=usable_device(snakemake.config.get("device", "auto")),
            store=Store(params.store),
            processes=snakemake.threads,
            largest_stack=config.largest_stack,
            log_file=snakemake.log[0],
        )
        for place, record in zip(full, records, strict=True):
            where = dict(zip(("search", "seed", "slot", "training_seed"), place, strict=True))
            write_json(full[place][1], "training", {**record, **where})
        for place in files.keys() - full.keys():
            where = dict(zip(("search", "seed", "slot", "training_seed"), place, strict=True))
            write_tensors(files[place][0], KIND, {}, {})
            write_json(files[place][1], "training", {"status": "empty", **where})
