# Adversarial images: a job for each split, target and norm, a file for each threshold, and all of a split in one file.
#
# One job goes through the thresholds from the smallest on, because each starts from the solution before.
rule adversarial_cells:
    input:
        dataset=rules.dataset.output.dataset,
        network=lambda wildcards: networks_of(wildcards.split, [wildcards.target]),
    output:
        cells=expand(
            f"{FOLDER}/adversarial/{{{{split}}}}/{{{{target}}}}/{{{{norm}}}}_{{threshold}}.h5",
            threshold=THRESHOLDS,
        ),
    log:
        f"{FOLDER}/logs/adversarial/{{split}}/{{target}}/{{norm}}.log",
    # The search waits for validation images; test images are for the report, and fill what the search leaves idle.
    priority: lambda wildcards: SEARCH_PRIORITY * (wildcards.split == "validation")
    threads: 1
    resources:
        gpu=GPU,
        mem_mb=memory(8000),
        runtime=minutes(480),
    params:
        attack=lambda wildcards: section("adversarial", f"{wildcards.norm}_attack"),
        images=section("adversarial", "images"),
        thresholds=THRESHOLDS,
        seed=section("adversarial", "seed"),
        store=STORE,
    script:
        "../workflow_scripts/adversarial_cells.py"


rule adversarial_set:
    input:
        cells=lambda wildcards: expand(
            f"{FOLDER}/adversarial/{wildcards.split}/{{target}}/{{norm}}_{{threshold}}.h5",
            target=TARGETS[wildcards.split],
            norm=["l0", "linf"],
            threshold=THRESHOLDS,
        ),
    output:
        adversarial=f"{FOLDER}/adversarial/{{split}}.h5",
    log:
        f"{FOLDER}/logs/adversarial/{{split}}.log",
    localrule: True
    script:
        "../workflow_scripts/adversarial_set.py"


# What fools one target, how often does it fool another? Test images, for the report only.
rule transfer:
    input:
        dataset=rules.dataset.output.dataset,
        adversarial=f"{FOLDER}/adversarial/test.h5",
        networks=networks_of("test", TARGETS["test"]),
    output:
        transfer=f"{FOLDER}/adversarial/transfer.json",
    log:
        f"{FOLDER}/logs/adversarial/transfer.log",
    threads: 1
    resources:
        gpu=GPU,
        mem_mb=memory(8000),
        runtime=minutes(120),
    params:
        seed=section("adversarial", "seed"),
    script:
        "../workflow_scripts/transfer.py"
