# The images, cut into training, validation and test; and the targets, trained on the first: those whose images the search
# sees, and those of the test set.
rule dataset:
    input:
        changed=changed_images,
    output:
        dataset=LAYOUT.path(File.DATASET),
    log:
        LAYOUT.log("dataset"),
    benchmark:
        LAYOUT.benchmark("dataset")
    # Where Snakemake runs: the machines of a cluster seldom reach the network.
    localrule: True
    params:
        dataset=section("dataset"),
    script:
        "../workflow_scripts/dataset.py"


rule target:
    input:
        dataset=LAYOUT.path(File.DATASET),
    output:
        network=LAYOUT.path(File.TARGET_NETWORK),
        metrics=LAYOUT.path(File.TARGET_METRICS),
    log:
        LAYOUT.log("target"),
    benchmark:
        LAYOUT.benchmark("target")
    # Much waits for the search's targets, and the largest of them should not be the last job to start; for those of the
    # test set only the report waits.
    priority: lambda wildcards: 10 * (wildcards.targets == "targets")
    threads: 1
    resources:
        gpu=GPU,
        mem_mb=memory(8000),
        runtime=minutes(480),
    params:
        architecture=lambda wildcards: CONFIG.targets.architectures(
            split_of(wildcards.targets)
        )[wildcards.target].model_dump(mode="json"),
        split=lambda wildcards: split_of(wildcards.targets),
        training=section("targets", "training"),
        seed=lambda wildcards: CONFIG.targets.seed_of(split_of(wildcards.targets)),
        store=STORE,
    script:
        "../workflow_scripts/target.py"
