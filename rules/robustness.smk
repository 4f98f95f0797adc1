# Retrained networks on test images, on the test adversarial set, and under white-box attacks.
rule robustness:
    input:
        network=f"{RETRAINED}/network.safetensors",
        training=f"{RETRAINED}/training.json",
        dataset=rules.dataset.output.dataset,
        adversarial=f"{FOLDER}/adversarial/test.h5",
    output:
        robustness=f"{RETRAINED}/robustness.json",
    log:
        f"{FOLDER}/logs/retrained/{{search}}/seed_{{seed}}/slot_{{slot}}/training_{{training_seed}}/robustness.log",
    threads: 1
    resources:
        gpu=GPU,
        mem_mb=memory(8000),
        runtime=minutes(480),
    params:
        robustness=section("robustness"),
        store=STORE,
    script:
        "../workflow_scripts/robustness.py"
