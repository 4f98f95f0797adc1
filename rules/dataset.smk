# The images, cut into training, validation and test; and the targets, trained on the first.
rule dataset:
    input:
        changed=changed_images,
    output:
        dataset=f"{FOLDER}/dataset.h5",
    log:
        f"{FOLDER}/logs/dataset.log",
    # Where Snakemake runs: the machines of a cluster seldom reach the network.
    localrule: True
    params:
        dataset=section("dataset"),
    script:
        "../workflow_scripts/dataset.py"


rule target:
    input:
        dataset=rules.dataset.output.dataset,
    output:
        network=f"{FOLDER}/targets/{{target}}/network.safetensors",
        metrics=f"{FOLDER}/targets/{{target}}/metrics.json",
    log:
        f"{FOLDER}/logs/targets/{{target}}.log",
    # Much waits for the targets; the largest of them should not be the last job to start.
    priority: 10
    threads: 1
    resources:
        gpu=GPU,
        mem_mb=memory(8000),
        runtime=minutes(480),
    params:
        architecture=lambda wildcards: section("targets", wildcards.target),
        training=section("targets", "training"),
        seed=section("targets", "seed"),
        store=STORE,
    script:
        "../workflow_scripts/target.py"
