# The networks of a front, trained at length, once for each training seed: a slot for each place of the front, by rising
# FLOPs. A slot past the front's end is empty, so that all jobs are known before the search has run.
rule retrain:
    input:
        front=f"{FOLDER}/search/{{search}}/seed_{{seed}}/front.json",
        dataset=rules.dataset.output.dataset,
    output:
        network=f"{FOLDER}/retrained/{{search}}/seed_{{seed}}/slot_{{slot}}/training_{{training_seed}}/network.safetensors",
        training=f"{FOLDER}/retrained/{{search}}/seed_{{seed}}/slot_{{slot}}/training_{{training_seed}}/training.json",
    log:
        f"{FOLDER}/logs/retrained/{{search}}/seed_{{seed}}/slot_{{slot}}/training_{{training_seed}}/training.log",
    threads: 1
    resources:
        gpu=GPU,
        mem_mb=memory(8000),
        runtime=minutes(480),
    params:
        channels=section("retraining", "channels"),
        training=section("retraining", "training"),
        validation_images_too=section("retraining", "validation_images_too"),
        stem_padding=section("space", "stem_padding"),
        node=CONFIG.node_of("retraining"),
        store=STORE,
    script:
        "../workflow_scripts/retrain.py"
