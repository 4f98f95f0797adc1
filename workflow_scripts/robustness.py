"""Measures a retrained network on test images, on the test adversarial set and under white-box attacks."""

from roco.artifacts import read_json, write_json
from roco.config import RobustnessConfig
from roco.runtime import job
from roco.store import Store

if __name__ == "__main__":
    with job(snakemake):
        training = read_json(snakemake.input.training, "training")
        result = {name: value for name, value in training.items() if name not in ("train_loss", "seconds")}
        if training["status"] == "ok":
            from roco.robustness import measure_robustness

            result |= measure_robustness(
                snakemake.input.network,
                dataset_path=snakemake.input.dataset,
                adversarial_path=snakemake.input.adversarial,
                config=RobustnessConfig(**snakemake.params.robustness),
                device=snakemake.config.get("device", "auto"),
                store=Store(snakemake.params.store),
            )
        write_json(snakemake.output.robustness, "robustness", result)
