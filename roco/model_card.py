"""The card that goes with an exported network: what it is, how it was found and trained, and what was measured."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from roco import __version__
from roco.artifacts import read_attributes, read_json, schema
from roco.config import PUBLISHED_GENOMES
from roco.files import is_there
from roco.networks import checksum_of, describe_file

Facts = Mapping[str, Any]


def model_card(path: str | Path) -> str:
    """The card of a network's file, in Markdown.

    What stands beside the file in its study (training, robustness, front, data set) is read; what is not there, is left
    out, and the card says so.

    Raises:
        ArtifactError: one of these files is damaged.
    """
    path = Path(path)
    description, place = describe_file(path), path.parent
    training, robustness = _read(place / "training.json", "training"), _read(place / "robustness.json", "robustness")
    # {experiment}/retrained/{search}/seed_{seed}/slot_{slot}/training_{training_seed}
    folder = place.parents[4] if training and len(place.parents) > 4 else None
    search = folder / "search" / f"{training['search']}/seed_{training['seed']}" if folder else None
    front = _read(search / "front.json", "front") if search else {}
    dataset = _attributes(folder / "dataset.h5") if folder else {}
    with schema(place / "robustness.json", "robustness"):
        lines = [f"# {_title(description, training)}", "", *_network(description, training, path)]
        lines += ["", "## How it was found", "", *_search(front, training)]
        lines += ["", "## Data", "", *_data(dataset, description), "", "## Training", "", *_training(training)]
        lines += [
            "",
            "## Measured",
            "",
            *_measured(robustness),
            "",
            "## Use",
            "",
            *_use(),
            "",
            "## Licence",
            "",
            *_licence(),
        ]
    return "\n".join(lines) + "\n"


def _read(path: Path, kind: str) -> dict[str, Any]:
    return dict(read_json(path, kind)) if is_there(path) else {}


def _attributes(path: Path) -> dict[str, Any]:
    return read_attributes(path, "dataset") if is_there(path) else {}


def _title(description: Facts, training: Facts) -> str:
    if description["family"] == "target":
        return f"Target network {description['name']}"
    return f"Network {training['key']}" if training else "Network of a genome"


def _network(description: Facts, training: Facts, path: Path) -> list[str]:
    lines = [f"Made with roco-nas {__version__} (robust and compact neural architecture search)."]
    if description["family"] == "genome":
        names = {text: name for name, text in PUBLISHED_GENOMES.items()}
        known = f" ({names[description['genome']]})" if description["genome"] in names else ""
        lines += ["", f"- genome: `{description['genome']}`{known}", f"- {_channels(description['channels'])}"]
        lines.append(f"- nodes: {description['node']}")
    if training:
        lines += [
            f"- parameters: {training['parameters']:,}",
            f"- FLOPs of one image: {training['flops']:,} multiply-adds",
        ]
    if "image_size" in description:
        lines.append(f"- input: images of {description['image_size']} x {description['image_size']} pixels")
    return [
        *lines,
        f"- classes: {description['classes']}",
        f"- SHA-256 of its weights and description: {checksum_of(path)}",
    ]


def _channels(channels: Any) -> str:
    alone = isinstance(channels, int)
    return f"initial channels: {channels}" if alone else f"channels of its phases: {', '.join(map(str, channels))}"


def _search(front: Facts, training: Facts) -> list[str]:
    if not training:
        return ["The file stands outside of a study, so that nothing is known of its search."]
    if not front.get("objectives"):
        return [f"No search: a network that was named in the configuration ({training['search']})."]
    found: Facts = next((one for one in front["networks"] if one["key"] == training["key"]), {})
    values = {name: found.get(name, (found.get("further") or {}).get(name)) for name in front["objectives"]}
    lines = [
        f"By the search `{training['search']}` (seed {training['seed']}), which minimises, on validation images:",
        "",
    ]
    return lines + [f"- {name}: {value:.6g}" for name, value in values.items() if value is not None]


def _data(dataset: Facts, description: Facts) -> list[str]:
    if not dataset:
        return [f"Fingerprint of the data set: {description.get('dataset_fingerprint', 'unknown')}."]
    names = ", ".join(map(str, dataset["class_names"]))
    lines = [f"- {dataset['name']}, classes: {names}", f"- fingerprint (SHA-256): {dataset['fingerprint']}"]
    return lines + [f"- {note}" for note in dataset["notes"]]


def _training(training: Facts) -> list[str]:
    if not training:
        return ["Unknown."]
    recipe = training.get("recipe") or {"epochs": training["epochs"]}
    lines = [f"- {name}: {value}" for name, value in recipe.items()]
    if "validation_images_too" in training:
        lines.append(f"- trained on validation images as well: {'yes' if training['validation_images_too'] else 'no'}")
    if "training_seed" in training:
        lines.append(f"- training seed: {training['training_seed']}; what was measured below is of this training alone")
    return [*lines, "- no adversarial training; the weights of the last epoch; nothing was chosen on test images"]


def _measured(robustness: Facts) -> list[str]:
    if robustness.get("status") != "ok":
        return ["Nothing yet."]
    lines = [f"- accuracy on {robustness['test_images']} test images: {1 - robustness['test_error']:.4f}"]
    images = sum(cell["images"] for cell in robustness["adversarial_breakdown"])
    if images:
        lines.append(f"- accuracy on {images} adversarial test images: {1 - robustness['adversarial_error']:.4f}")
    white_box = robustness["white_box"]
    for name, attack in white_box["attacks"].items():
        settings = ", ".join(f"{key} {value}" for key, value in attack["settings"].items() if key != "method")
        lines.append(f"- accuracy under {name} on {white_box['images']} of them ({settings}): {attack['accuracy']:.4f}")
    return [*lines, "", "Budgets are in 1/255. Accuracy under an attack is no bound: a stronger attack may find more."]


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
