"""Measures a retrained network on test images, on the test adversarial set and under white-box attacks."""

from roco.attacks.settings import RobustnessConfig
from roco.runtime import job
from roco.storage.artifacts import check_provenance, read_json, write_json
from roco.storage.store import Store

if __name__ == "__main__":
    with job(snakemake):
        where = snakemake.wildcards
        training = read_json(snakemake.input.training, "training")
        made_for = {"search": where.search, "seed": int(where.seed), "slot": int(where.slot)}
        made_for |= {"training_seed": int(where.training_seed)}
        check_provenance(snakemake.input.training, training, made_for)
        result = {name: value for name, value in training.items() if name not in ("train_loss", "seconds")}
        if training["status"] == "ok":
            from roco.networks.files import load_network
            from roco.retraining.robustness import measure_robustness

            _, description = load_network(snakemake.input.network)
            trained = {name: training[name] for name in ("genome", "channels")}
            check_provenance(snakemake.input.network, description, trained)
            result |= measure_robustness(
                snakemake.input.network,
                dataset_path=snakemake.input.dataset,
                adversarial_path=snakemake.input.adversarial,
                config=RobustnessConfig(**snakemake.params.robustness),
                device=snakemake.config.get("device", "auto"),
                store=Store(snakemake.params.store),
            )
        write_json(snakemake.output.robustness, "robustness", result)
