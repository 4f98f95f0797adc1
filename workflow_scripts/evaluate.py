"""Evaluates a shard of a generation's genomes in worker processes."""

from roco.config import check_config
from roco.gpus import usable_device
from roco.networks.spec import DecoderSettings
from roco.runtime import job
from roco.search.evaluation import EvaluationSettings
from roco.search.pool import evaluate_genomes
from roco.search.records import read_genomes, write_evaluations
from roco.storage.store import Store

if __name__ == "__main__":
    with job(snakemake):
        params, size = snakemake.params, snakemake.params.genomes_per_job
        wildcards = snakemake.wildcards
        first = int(wildcards.shard) * size
        # Not from params: another time limit or larger stacks are no reason to evaluate genomes again.
        config = check_config(snakemake.config).evaluation
        device = usable_device(snakemake.config.get("device", "auto"))
        made_for = {
            "search": wildcards.search,
            "seed": int(wildcards.seed),
            "generation": int(wildcards.generation),
        }
        evaluations = evaluate_genomes(
            read_genomes(snakemake.input.genomes, made_for)[first : first + size],
            EvaluationSettings(
                dataset=str(snakemake.input.dataset),
                adversarial_set=str(snakemake.input.adversarial),
                recipe=params.training,
                decoder=DecoderSettings(channels=params.channels, stem_padding=params.stem_padding, node=params.node),
                seed=int(wildcards.seed),
                measurements=tuple(params.measurements),
                device=device,
            ),
            store=Store(params.store),
            processes=snakemake.threads,
            largest_stack=config.largest_stack,
            log_file=snakemake.log[0],
            time_limit_minutes=config.time_limit_minutes,
        )
        write_evaluations(snakemake.output.records, evaluations)
