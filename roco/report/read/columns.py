"""The columns of a study's frames and their types. Fractions are in [0, 1], FLOPs are multiply-adds."""

_INDIVIDUAL = {
    "genome": "str",
    "key": "str",
    "status": "str",
    "error": "float64",
    "adversarial_error": "float64",
    "flops": "int64",
    "parameters": "int64",
}
# split: whose adversarial images are made from the target.
TARGETS = {
    "split": "str",
    "target": "str",
    "parameters": "int64",
    "epochs": "int64",
    "validation_error": "float64",
    "test_error": "float64",
    "seconds": "float64",
}
CELLS = {
    "split": "str",
    "target": "str",
    "norm": "str",
    "threshold": "int64",
    "attacked": "int64",
    "successes": "int64",
}
# clean, adversarial: uint8 (3, h, w).
EXAMPLES = {
    "target": "str",
    "norm": "str",
    "threshold": "int64",
    "source_index": "int64",
    "label": "int64",
    "class_name": "str",
    "prediction": "int64",
    "predicted_class": "str",
    "margin": "float64",
    "clean": "object",
    "adversarial": "object",
}
TRANSFER = {
    "norm": "str",
    "threshold": "int64",
    "source": "str",
    "target": "str",
    "images": "int64",
    "fooled": "int64",
    "noise": "int64",
}
EVALUATIONS = {
    "search": "str",
    "seed": "int64",
    "generation": "int64",
    **_INDIVIDUAL,
    "reason": "str",
    "epochs": "int64",
    "seconds": "float64",
    "device": "str",
}
# evaluations: different networks that the search had evaluated by then.
POPULATIONS = {
    "search": "str",
    "seed": "int64",
    "generation": "int64",
    "evaluations": "int64",
    "born": "int64",
    "rank": "int64",
    **_INDIVIDUAL,
}
# further: the values of a search's other objectives by name.
FRONTS = {"search": "str", "seed": "int64", "position": "int64", **_INDIVIDUAL, "further": "object"}
# test_right: of each test image 1 or 0. Of each test image that the adversarial set was made from: adversarial_sizes,
# how many images the set has of it; adversarial_right, how many of them are right; adversarial_noise_right, how many
# are with noise of the same budgets in place of the attack's change; adversarial_before, 1 or 0, whether it is itself.
NETWORKS = {
    "search": "str",
    "seed": "int64",
    "slot": "int64",
    "training_seed": "int64",
    "status": "str",
    "reason": "str",
    "genome": "str",
    "key": "str",
    # A number, or the widths of the phases as text.
    "channels": "object",
    "flops": "int64",
    "parameters": "int64",
    "search_flops": "int64",
    "search_parameters": "int64",
    "test_images": "int64",
    "test_correct": "int64",
    "test_accuracy": "float64",
    "test_right": "object",
    "adversarial_images": "int64",
    "adversarial_correct": "int64",
    "adversarial_accuracy": "float64",
    "adversarial_sizes": "object",
    "adversarial_right": "object",
    "adversarial_before": "object",
    "adversarial_noise_right": "object",
    "white_box_images": "int64",
    "clean_accuracy": "float64",
}
BREAKDOWN = {
    "search": "str",
    "seed": "int64",
    "slot": "int64",
    "training_seed": "int64",
    "target": "str",
    "norm": "str",
    "threshold": "int64",
    "images": "int64",
    "errors": "int64",
}
# right: of each attacked image 1 or 0.
ATTACKS = {
    "search": "str",
    "seed": "int64",
    "slot": "int64",
    "training_seed": "int64",
    "key": "str",
    "attack": "str",
    "method": "str",
    "images": "int64",
    "correct": "int64",
    "accuracy": "float64",
    "right": "object",
    "median_l2": "float64",
    "median_linf": "float64",
    "failures": "int64",
}

TRAININGS = {
    "search": "str",
    "seed": "int64",
    "slot": "int64",
    "training_seed": "int64",
    "key": "str",
    "status": "str",
    "seconds": "float64",
}
# radius in 1/255; 0 is no attack. right: of each attacked image 1 or 0.
CURVES = {
    "search": "str",
    "seed": "int64",
    "slot": "int64",
    "training_seed": "int64",
    "key": "str",
    "radius": "float64",
    "images": "int64",
    "correct": "int64",
    "accuracy": "float64",
    "right": "object",
}
# distances: a tuple in [0, 1] units, one for each image that was right to begin with, infinite where nothing was found.
PERTURBATIONS = {
    "search": "str",
    "seed": "int64",
    "slot": "int64",
    "training_seed": "int64",
    "key": "str",
    "norm": "str",
    "distances": "object",
}
FLAGS = {
    "search": "str",
    "seed": "int64",
    "slot": "int64",
    "training_seed": "int64",
    "key": "str",
    "flag": "str",
    "raised": "bool",
    "detail": "str",
}
# Networks of others, if the user has a benchmark of them; eps in 1/255.
BENCHMARKS = {
    "benchmark": "str",
    "training": "str",
    "data_set": "str",
    "network": "str",
    "method": "str",
    "eps": "float64",
    "clean": "float64",
    "robust": "float64",
}
