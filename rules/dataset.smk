# The images, split into training, validation and test images; and the targets, trained on training images: one set of
# targets for the search's adversarial images, another for those of the test set.
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
    # Many jobs wait for the search's targets; only the report waits for the targets of the test set.
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
