# The networks of a front, trained at length, once for each training seed. There is a job for each front and way of training
# (standard, adversarial), because a GPU trains many networks in little more time than one. A slot has the network of its rank
# in FLOPs; slots past the end of the front stay empty, so that all jobs are known before the search has run.
rule retrain:
    input:
        front=LAYOUT.path(File.FRONT),
        dataset=LAYOUT.path(File.DATASET),
    output:
        networks=LAYOUT.of_a_front(File.RETRAINED_NETWORK, slots=CONFIG.slots),
        trainings=LAYOUT.of_a_front(File.RETRAINING, slots=CONFIG.slots),
    log:
        LAYOUT.log("retrain"),
    benchmark:
        LAYOUT.benchmark("retrain")
    wildcard_constraints:
        search="|".join(SEARCHES),
    threads: threads_of("retrain", CONFIG.retraining.processes)
    resources:
        gpu=GPU,
        mem_mb=memory(8000),
        runtime=minutes(480),
    params:
        settings=retraining_settings,
        store=STORE,
    script:
        "../workflow_scripts/retrain.py"


PUBLISHED = len(CONFIG.retraining.references)
if PUBLISHED:

    # Published networks, which belong to no search.
    use rule retrain as retrain_references with:
        output:
            networks=LAYOUT.of_a_front(File.RETRAINED_NETWORK, slots=PUBLISHED),
            trainings=LAYOUT.of_a_front(File.RETRAINING, slots=PUBLISHED),
        wildcard_constraints:
            search=REFERENCES,
