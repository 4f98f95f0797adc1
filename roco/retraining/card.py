"""The card of an exported network: what it is, how it was found and trained, and its measurements."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roco import __version__
from roco.files import is_there
from roco.networks.files import checksum_of, describe_file
from roco.networks.spec import GenomeSpec, NetworkDescription, TargetSpec
from roco.retraining.records import EmptySlot, MeasuredNetwork, Retrained, Robustness, read_robustness, read_training
from roco.search.records import Front
from roco.space.settings import PUBLISHED_GENOMES
from roco.storage.artifacts import read_attributes, schema
from roco.training.adversarial import AdversarialRecipe
from roco.training.records import TargetMetrics

MADE_WITH = f"Made with roco-nas {__version__} (robust and compact neural architecture search)."


@dataclass(frozen=True)
class _Origin:
    """The files beside a genome's network in its study; None for a file that does not exist.

    `study` is the folder of the experiment; None if the network lies outside of a study.
    """

    study: Path | None
    training: Retrained | None
    robustness: Robustness | None
    front: Front | None

    @classmethod
    def of(cls, network_path: Path) -> "_Origin":
        folder = network_path.parent
        training_path, robustness_path = folder / "training.json", folder / "robustness.json"
        training = read_training(training_path) if is_there(training_path) else None
        robustness = read_robustness(robustness_path) if is_there(robustness_path) else None
        if training is None or isinstance(training, EmptySlot):
            return cls(None, None, robustness, None)
        # {experiment}/retrained/{search}/seed_{seed}/slot_{slot}/training_{training_seed}
        study = folder.parents[4] if len(folder.parents) > 4 else None
        front_path = (study or folder) / "search" / training.search / f"seed_{training.seed}/front.json"
        front = Front.load(front_path) if study and is_there(front_path) else None
        return cls(study, training, robustness, front)


def model_card(path: str | Path) -> str:
    """The card of a network's file, in Markdown.

    It reads the files beside it in its study (training, robustness, front, data set), and says which are missing.

    Raises:
        ArtifactError: one of these files is damaged.
        FileAccessError: one of these files cannot be read now.
    """
    path = Path(path)
    description = describe_file(path)
    if isinstance(description.spec, TargetSpec):
        return _text(_sections_of_target(path, description, description.spec))
    return _text(_sections_of_genome(path, description, description.spec))


def _text(sections: Mapping[str, list[str]]) -> str:
    titled = [[f"## {title}", "", *lines] if title else lines for title, lines in sections.items()]
    return "\n\n".join("\n".join(lines) for lines in titled) + "\n"


def _sections_of_genome(path: Path, description: NetworkDescription, spec: GenomeSpec) -> dict[str, list[str]]:
    origin = _Origin.of(path)
    training = origin.training
    return {
        "": [
            f"# Network {training.key}" if training else "# Network of a genome",
            "",
            MADE_WITH,
            "",
            *_genome(spec),
            *(_size(training) if training else []),
            *_input(path, spec),
        ],
        "How it was found": _search(origin.front, training),
        "Data": _data_of(origin.study, description),
        "Training": _training(training) if training else ["Unknown."],
        "Measured": _measured(origin.robustness),
        **_constant(),
    }


def _sections_of_target(path: Path, description: NetworkDescription, spec: TargetSpec) -> dict[str, list[str]]:
    # {experiment}/targets/{target}
    folder = path.parent
    metrics_path = folder / "metrics.json"
    metrics = TargetMetrics.load(metrics_path) if is_there(metrics_path) else None
    study = folder.parents[1] if metrics and len(folder.parents) > 1 else None
    return {
        "": [
            f"# Target network {spec.name}",
            "",
            MADE_WITH,
            "",
            *(f"- {name}: {value}" for name, value in spec.architecture.model_dump().items()),
            *([f"- parameters: {metrics.parameters:,}"] if metrics else []),
            *_input(path, spec),
        ],
        "How it was found": ["No search: a published architecture, from which adversarial images are made."],
        "Data": _data_of(study, description),
        "Training": _training_of_target(metrics) if metrics else ["Unknown."],
        "Measured": _measured_of_target(metrics) if metrics else ["Nothing yet."],
        **_constant(),
    }


def _data_of(study: Path | None, description: NetworkDescription) -> list[str]:
    path = study / "dataset.h5" if study else None
    if path is None or not is_there(path):
        return [f"Fingerprint of the data set: {description.dataset_fingerprint or 'unknown'}."]
    dataset = read_attributes(path, "dataset")
    with schema(path, "dataset"):
        return _data(dataset)


def _genome(spec: GenomeSpec) -> list[str]:
    names = {text: name for name, text in PUBLISHED_GENOMES.items()}
    known = f" ({names[spec.genome]})" if spec.genome in names else ""
    return [f"- genome: `{spec.genome}`{known}", f"- {_channels(spec.channels)}", f"- nodes: {spec.node}"]


def _size(training: Retrained) -> list[str]:
    flops = f"- FLOPs of one image: {training.flops:,} multiply-adds"
    return [f"- parameters: {training.parameters:,}", flops]


def _input(path: Path, spec: GenomeSpec | TargetSpec) -> list[str]:
    return [
        f"- input: images of {spec.image_size} x {spec.image_size} pixels",
        f"- classes: {spec.classes}",
        f"- SHA-256 of its weights and description: {checksum_of(path)}",
    ]


def _channels(channels: int | tuple[int, ...]) -> str:
    if isinstance(channels, int):
        return f"initial channels: {channels}"
    return f"channels of its phases: {', '.join(map(str, channels))}"


def _search(front: Front | None, training: Retrained | None) -> list[str]:
    if training is None:
        return ["The file stands outside of a study, so that nothing is known of its search."]
    if front is None or not front.objectives:
        return [f"No search: a network that was named in the configuration ({training.search})."]
    lines = [
        f"By the search `{training.search}` (seed {training.seed}), which minimises, on validation images:",
        "",
    ]
    individual = next((each for each in front.networks if each.key == training.key), None)
    values = {name: individual.value(name) for name in front.objectives} if individual else {}
    return lines + [f"- {name}: {value:.6g}" for name, value in values.items()]


def as_text(name: object) -> str:
    """A name with its special characters escaped for Markdown."""
    return re.sub(r"([\\`*_{}\[\]<>#|$~&])", r"\\\1", str(name))


def _data(dataset: Mapping[str, Any]) -> list[str]:
    names = ", ".join(map(as_text, dataset["class_names"]))
    lines = [f"- {dataset['name']}, classes: {names}", f"- fingerprint (SHA-256): {dataset['fingerprint']}"]
    return lines + [f"- {note}" for note in dataset["notes"]]


def _training(training: Retrained) -> list[str]:
    recipe = training.recipe
    lines = [f"- {name}: {value}" for name, value in recipe.model_dump(exclude={"adversarial"}).items()]
    adversarial = "no adversarial training"
    if isinstance(recipe, AdversarialRecipe):
        adversarial = f"adversarially trained with {recipe.adversarial.in_words}"
    too = "yes" if training.validation_images_too else "no"
    return [
        *lines,
        f"- trained on validation images as well: {too}",
        f"- training seed: {training.training_seed}; what was measured below is of this training alone",
        f"- {adversarial}; the weights of the last epoch; nothing was chosen on test images",
    ]


def _measured(robustness: Robustness | None) -> list[str]:
    if not isinstance(robustness, MeasuredNetwork):
        return ["Nothing yet."]
    lines = [f"- accuracy on {robustness.test_images} test images: {1 - robustness.test_error:.4f}"]
    images = sum(cell.images for cell in robustness.adversarial_breakdown)
    if images:
        lines.append(f"- accuracy on {images} adversarial test images: {1 - robustness.adversarial_error:.4f}")
    for name, attack in robustness.white_box.attacks.items():
        settings = ", ".join(f"{key} {value}" for key, value in attack.settings.items() if key != "method")
        attacked = len(attack.robust_images)
        lines.append(f"- accuracy under {name} on {attacked} of them ({settings}): {attack.accuracy:.4f}")
    return [*lines, "", "Budgets are in 1/255. Accuracy under an attack is no bound: a stronger attack may find more."]


def _training_of_target(metrics: TargetMetrics) -> list[str]:
    return [
        f"- epochs: {metrics.epochs}",
        f"- precision: {metrics.precision}",
        "- no adversarial training; nothing was chosen on test images",
    ]


def _measured_of_target(metrics: TargetMetrics) -> list[str]:
    errors = {"validation": metrics.validation_error, "test": metrics.test_error}
    return [f"- accuracy on {split} images: {1 - error:.4f}" for split, error in errors.items()]


def _constant() -> dict[str, list[str]]:
    return {"Use": _use(), "Licence": _licence()}


def _use() -> list[str]:
    return [
        "Input: float32 images `(n, 3, h, w)` in [0, 1], normalised inside; output: logits `(n, classes)`.",
        "This is how RobustBench and AutoAttack call a model. In Python: `roco.load(file)` for a safetensors file,",
        "`torch.export.load(file).module()` for a .pt2 file, `onnxruntime.InferenceSession(file)` for an ONNX file.",
    ]


def _licence() -> list[str]:
    return [
        "The code of roco-nas is under the MIT licence. These weights were made from the data named above, whose terms",
        "apply to them: see to it that they allow what you want to do.",
    ]
