# Adversarial images: a job for each split, target and norm, a file for each threshold, and a file with all of a split.
#
# A job goes through the thresholds from the smallest on, because each starts from the solution of the one before.
rule adversarial_cells:
    input:
        dataset=LAYOUT.path(File.DATASET),
        network=lambda wildcards: LAYOUT.path(
            File.TARGET_NETWORK,
            targets=LAYOUT.target_folder(wildcards.split),
            target=wildcards.target,
        ),
    output:
        cells=[
            LAYOUT.path(File.ADVERSARIAL_CELL, threshold=threshold)
            for threshold in CONFIG.adversarial.thresholds
        ],
    log:
        LAYOUT.log("adversarial_cells"),
    benchmark:
        LAYOUT.benchmark("adversarial_cells")
    # The search waits for validation images; test images are for the report, and use cores that the search leaves idle.
    priority: lambda wildcards: SEARCH_PRIORITY * (wildcards.split == "validation")
    threads: 1
    resources:
        gpu=GPU,
        mem_mb=memory(8000),
        runtime=minutes(480),
    params:
        attack=lambda wildcards: section("adversarial", f"{wildcards.norm}_attack"),
        images=section("adversarial", "images"),
        thresholds=CONFIG.adversarial.thresholds,
        seed=section("adversarial", "seed"),
        store=STORE,
    script:
        "../workflow_scripts/adversarial_cells.py"


rule adversarial_set:
    input:
        cells=lambda wildcards: LAYOUT.adversarial_cells(wildcards.split),
    output:
        adversarial=LAYOUT.path(File.ADVERSARIAL_SET),
    log:
        LAYOUT.log("adversarial_set"),
    localrule: True
    script:
        "../workflow_scripts/adversarial_set.py"


# How often images that fool one target fool another target; test images, for the report only.
rule transfer:
    input:
        dataset=LAYOUT.path(File.DATASET),
        adversarial=LAYOUT.path(File.ADVERSARIAL_SET, split="test"),
        networks=LAYOUT.target_networks("test"),
    output:
        transfer=LAYOUT.path(File.TRANSFER),
    log:
        LAYOUT.log("transfer"),
    benchmark:
        LAYOUT.benchmark("transfer")
    threads: 1
    resources:
        gpu=GPU,
        mem_mb=memory(8000),
        runtime=minutes(120),
    params:
        seed=section("adversarial", "seed"),
    script:
        "../workflow_scripts/transfer.py"
