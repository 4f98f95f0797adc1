"""Measures a retrained network on test images, on the test adversarial set and under white-box attacks."""

from roco.attacks.settings import RobustnessConfig
from roco.retraining.records import EndedTraining, MeasuredNetwork, read_training, write_robustness
from roco.runtime import job
from roco.storage.store import Store
from roco.study.files import ADVERSARIAL

if __name__ == "__main__":
    with job(snakemake):
        where = snakemake.wildcards
        made_for = {"search": where.search, "seed": int(where.seed), "slot": int(where.slot)}
        made_for |= {"training_seed": int(where.training_seed), "adversarial": where.retrained == ADVERSARIAL}
        result = read_training(snakemake.input.training, made_for)
        if isinstance(result, EndedTraining):
            from roco.retraining.robustness import measure_robustness

            measured = measure_robustness(
                snakemake.input.network,
                dataset_path=snakemake.input.dataset,
                adversarial_path=snakemake.input.adversarial,
                config=RobustnessConfig(**snakemake.params.robustness),
                device=snakemake.config.get("device", "auto"),
                store=Store(snakemake.params.store),
                trained={"genome": result.genome, "channels": result.channels},
            )
            # Without the losses and the seconds of the training.
            result = MeasuredNetwork.model_validate(dict(result) | dict(measured))
        write_robustness(snakemake.output.robustness, result)
