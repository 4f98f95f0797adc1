"""Evaluates a shard of a generation's genomes in worker processes."""

from roco.artifacts import write_json
from roco.evaluation import EvaluationSettings
from roco.runtime import job, resolve_device
from roco.search.population import read_genomes
from roco.store import Store
from roco.workers import evaluate_genomes

if __name__ == "__main__":
    with job(snakemake):
        params, size = snakemake.params, snakemake.params.genomes_per_job
        first = int(snakemake.wildcards.shard) * size
        records = evaluate_genomes(
            read_genomes(snakemake.input.genomes)[first : first + size],
            EvaluationSettings(
                dataset=str(snakemake.input.dataset),
                adversarial_set=str(snakemake.input.adversarial),
                recipe=params.training,
                channels=params.channels,
                stem_padding=params.stem_padding,
                seed=int(snakemake.wildcards.seed),
                device=resolve_device(snakemake.config.get("device", "auto")),
            ),
            store=Store(params.store),
            workers=snakemake.threads,
            log_file=snakemake.log[0],
        )
        write_json(snakemake.output.records, "evaluations", records)
