# The networks of a front, trained at length, once for each training seed; a job for each front, as a GPU trains many networks
# in little more time than one. There is a slot for each place of the front, by rising FLOPs; one past the front's end is
# empty, so that all jobs are known before the search has run.
RETRAINED = f"{FOLDER}/retrained/{{search}}/seed_{{seed}}/slot_{{slot}}/training_{{training_seed}}"


rule retrain:
    input:
        front=f"{FOLDER}/search/{{search}}/seed_{{seed}}/front.json",
        dataset=rules.dataset.output.dataset,
    output:
        networks=retrained_files("network.safetensors", CONFIG.slots),
        trainings=retrained_files("training.json", CONFIG.slots),
    log:
        f"{FOLDER}/logs/retrained/{{search}}/seed_{{seed}}/training.log",
    wildcard_constraints:
        search="|".join(SEARCHES),
    threads: threads_of("retrain", CONFIG.retraining.processes)
    resources:
        gpu=GPU,
        mem_mb=memory(8000),
        runtime=minutes(480),
    params:
        settings=retraining_settings(),
        store=STORE,
    script:
        "../workflow_scripts/retrain.py"


if CONFIG.retraining.references:

    # Published networks, which are no search's.
    use rule retrain as retrain_references with:
        output:
            networks=retrained_files(
                "network.safetensors", len(CONFIG.retraining.references)
            ),
            trainings=retrained_files(
                "training.json", len(CONFIG.retraining.references)
            ),
        wildcard_constraints:
            search=REFERENCES,
