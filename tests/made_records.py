"""Records with invented contents, for tests of what makes or reads them. Nothing here was measured."""

from typing import Any

from tiny_study import GENOMES, RECIPE

from roco.networks.spec import DecoderSettings, GenomeSpec, NetworkDescription
from roco.retraining.records import EndedTraining, FailedTraining, MeasuredNetwork
from roco.search.records import Evaluation, Individual
from roco.space.genome import Genome

DECODER = DecoderSettings(channels=2, stem_padding=0)
FINGERPRINT = "f00d"


def spec_of(genome: Genome | str = GENOMES[1], **changes: Any) -> GenomeSpec:
    """A network of the tiny study's images."""
    return GenomeSpec(**{**dict(DECODER), "genome": str(genome), "classes": 3, "image_size": 16, **changes})


def description_of(genome: Genome | str = GENOMES[1], **changes: Any) -> NetworkDescription:
    return NetworkDescription(spec=spec_of(genome, **changes))


def evaluation(**changes: Any) -> Evaluation:
    """One that ended, unless the changes say otherwise."""
    fields: dict[str, Any] = {
        "genome": "1000-0000",
        "key": GENOMES[0].key,
        "status": "ok",
        "reason": None,
        "error": 0.25,
        "adversarial_error": 0.75,
        "adversarial_breakdown": (),
        "flops": 100,
        "parameters": 7,
        "epochs": 2,
        "seed": 0,
        "device": "cpu",
        "precision": "fp32",
        "train_loss": (1.0, 0.5),
        "seconds": 1.5,
        "stack": 1,
        "versions": {},
        "dataset_fingerprint": FINGERPRINT,
        "settings_hash": "beef",
    }
    return Evaluation(**{**fields, **changes})


def individual(**changes: Any) -> Individual:
    """That of the evaluation above, with the same changes."""
    shared = {name: value for name, value in dict(evaluation()).items() if name in Individual.model_fields}
    return Individual(**{**shared, "born": 0, **changes})


def _retrained(**changes: Any) -> dict[str, Any]:
    place = {"search": "roco", "seed": 0, "slot": 0, "training_seed": 0}
    cost = {"flops": 1000, "parameters": 100, "search_flops": 500, "search_parameters": 50}
    fields = {
        "genome": str(GENOMES[1]),
        "key": GENOMES[1].key,
        "channels": 2,
        "epochs": RECIPE["epochs"],
        "recipe": RECIPE,
        "validation_images_too": True,
        "versions": {},
        "dataset_fingerprint": FINGERPRINT,
    }
    return {**place, **cost, **fields, **changes}


def failed_training(**changes: Any) -> FailedTraining:
    return FailedTraining(**_retrained(**{"reason": "the training loss of epoch 1 is nan", **changes}))


def ended_training(**changes: Any) -> EndedTraining:
    ended = {"precision": "fp32", "stack": 1, "train_loss": (1.0, 0.5), "seconds": 2.5}
    return EndedTraining(**_retrained(**{**ended, **changes}))


def attack(**changes: Any) -> dict[str, Any]:
    """What an attack left right of eight images, of which six were right."""
    fields = {"method": "pgd", "settings": {"eps": 8.0}, "accuracy": 0.25, "correct": 2, "robust_images": "11000000"}
    return {**fields, "median_l2": None, "median_linf": 0.01, "failures": 0, **changes}


def measured_network(**changes: Any) -> MeasuredNetwork:
    """Right on twelve of fifteen test images and on two of four adversarial ones."""
    cell = {"target": "lenet", "norm": "l0", "threshold": 1, "images": 4, "errors": 2}
    measured = {
        "precision": "fp32",
        "stack": 1,
        "test_images": 15,
        "test_error": 0.2,
        "right_images": "1" * 12 + "0" * 3,
        "adversarial_error": 0.5,
        "adversarial_breakdown": (cell,),
        "adversarial_sources": {"source_index": (0, 3), "images": (2, 2), "right": (2, 0), "noise_right": (2, 2)},
        "white_box": {
            "images": 8,
            "clean_accuracy": 0.75,
            "right_images": "11111100",
            "attacks": {"pgd": attack()},
        },
    }
    return MeasuredNetwork(**_retrained(**{**measured, **changes}))
