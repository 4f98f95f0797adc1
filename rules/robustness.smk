# Retrained networks on test images, on the test adversarial set, and under white-box attacks.
rule robustness:
    input:
        network=LAYOUT.path(File.RETRAINED_NETWORK),
        training=LAYOUT.path(File.RETRAINING),
        dataset=LAYOUT.path(File.DATASET),
        adversarial=LAYOUT.path(File.ADVERSARIAL_SET, split="test"),
    output:
        robustness=LAYOUT.path(File.ROBUSTNESS),
    log:
        LAYOUT.log("robustness"),
    benchmark:
        LAYOUT.benchmark("robustness")
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
