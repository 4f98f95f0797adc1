"""The card that goes with an exported network: what it is, how it was found and trained, and what was measured."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roco import __version__
from roco.files import is_there
from roco.networks.files import checksum_of, describe_file
from roco.space.settings import PUBLISHED_GENOMES
from roco.storage.artifacts import read_attributes, read_json, schema

Facts = Mapping[str, Any]
MADE_WITH = f"Made with roco-nas {__version__} (robust and compact neural architecture search)."


@dataclass(frozen=True)
class _File:
    """A file of the study: where it is, of what kind, and what it holds, which is nothing where it is not there."""

    path: Path
    kind: str
    facts: Facts

    def lines(self, tell: Callable[..., list[str]], *others: Facts) -> list[str]:
        """What is told of its facts (and others that were looked at before), or the line that names this file."""
        with schema(self.path, self.kind):
            return tell(self.facts, *others)


def model_card(path: str | Path) -> str:
    """The card of a network's file, in Markdown.

    What stands beside the file in its study (training, robustness, front, data set) is read; what is not there, is left
    out, and the card says so.

    Raises:
        ArtifactError: one of these files is damaged.
        FileAccessError: one of them cannot be read now.
    """
    path = Path(path)
    network = _File(path, "network", describe_file(path))
    with schema(path, "network"):
        target = network.facts["family"] == "target"
    return _text(_sections_of_target(network) if target else _sections_of_genome(network))


def _text(sections: Mapping[str, list[str]]) -> str:
    titled = [[f"## {title}", "", *lines] if title else lines for title, lines in sections.items()]
    return "\n\n".join("\n".join(lines) for lines in titled) + "\n"


def _sections_of_genome(network: _File) -> dict[str, list[str]]:
    place = network.path.parent
    training, robustness = _read(place / "training.json", "training"), _read(place / "robustness.json", "robustness")
    # {experiment}/retrained/{search}/seed_{seed}/slot_{slot}/training_{training_seed}
    folder = place.parents[4] if training.facts and len(place.parents) > 4 else None
    with schema(training.path, training.kind):
        trained = {name: training.facts[name] for name in ("search", "seed", "key")} if training.facts else {}
    search = (folder or place) / "search" / f"{trained.get('search')}/seed_{trained.get('seed')}"
    front = _read(search / "front.json", "front") if folder else _File(search, "front", {})
    return {
        "": [
            f"# Network {trained['key']}" if trained else "# Network of a genome",
            "",
            MADE_WITH,
            "",
            *network.lines(_genome),
            *training.lines(_size),
            *network.lines(_input),
            f"- SHA-256 of its weights and description: {checksum_of(network.path)}",
        ],
        "How it was found": front.lines(_search, trained),
        "Data": _data_of(folder, network),
        "Training": training.lines(_training),
        "Measured": robustness.lines(_measured),
        **_constant(),
    }


def _sections_of_target(network: _File) -> dict[str, list[str]]:
    # {experiment}/targets/{target}
    place = network.path.parent
    metrics = _read(place / "metrics.json", "target")
    folder = place.parents[1] if metrics.facts and len(place.parents) > 1 else None
    return {
        "": [
            *network.lines(lambda facts: [f"# Target network {facts['name']}"]),
            "",
            MADE_WITH,
            "",
            *network.lines(_architecture),
            *metrics.lines(lambda facts: [f"- parameters: {facts['parameters']:,}"] if facts else []),
            *network.lines(_input),
            f"- SHA-256 of its weights and description: {checksum_of(network.path)}",
        ],
        "How it was found": ["No search: a published architecture, from which adversarial images are made."],
        "Data": _data_of(folder, network),
        "Training": metrics.lines(_training_of_target),
        "Measured": metrics.lines(_measured_of_target),
        **_constant(),
    }


def _read(path: Path, kind: str) -> _File:
    return _File(path, kind, dict(read_json(path, kind)) if is_there(path) else {})


def _data_of(folder: Path | None, network: _File) -> list[str]:
    path = (folder or network.path.parent) / "dataset.h5"
    if folder is None or not is_there(path):
        return [f"Fingerprint of the data set: {network.facts.get('dataset_fingerprint', 'unknown')}."]
    return _File(path, "dataset", read_attributes(path, "dataset")).lines(_data)


def _genome(description: Facts) -> list[str]:
    names = {text: name for name, text in PUBLISHED_GENOMES.items()}
    known = f" ({names[description['genome']]})" if description["genome"] in names else ""
    return [
        f"- genome: `{description['genome']}`{known}",
        f"- {_channels(description['channels'])}",
        f"- nodes: {description['node']}",
    ]


def _architecture(description: Facts) -> list[str]:
    return [f"- {name}: {value}" for name, value in description["architecture"].items()]


def _size(training: Facts) -> list[str]:
    if not training:
        return []
    flops = f"- FLOPs of one image: {training['flops']:,} multiply-adds"
    return [f"- parameters: {training['parameters']:,}", flops]


def _input(description: Facts) -> list[str]:
    size = description.get("image_size")
    lines = [f"- input: images of {size} x {size} pixels"] if size else []
    return [*lines, f"- classes: {description['classes']}"]


def _channels(channels: Any) -> str:
    alone = isinstance(channels, int)
    return f"initial channels: {channels}" if alone else f"channels of its phases: {', '.join(map(str, channels))}"


def _search(front: Facts, trained: Facts) -> list[str]:
    if not trained:
        return ["The file stands outside of a study, so that nothing is known of its search."]
    if not front.get("objectives"):
        return [f"No search: a network that was named in the configuration ({trained['search']})."]
    found: Facts = next((one for one in front["networks"] if one["key"] == trained["key"]), {})
    values = {name: found.get(name, (found.get("further") or {}).get(name)) for name in front["objectives"]}
    lines = [
        f"By the search `{trained['search']}` (seed {trained['seed']}), which minimises, on validation images:",
        "",
    ]
    return lines + [f"- {name}: {value:.6g}" for name, value in values.items() if value is not None]


def as_text(name: object) -> str:
    """A name as Markdown shows it unchanged, neither as mathematics nor as markup."""
    return re.sub(r"([\\`*_{}\[\]<>#|$~&])", r"\\\1", str(name))


def _data(dataset: Facts) -> list[str]:
    names = ", ".join(map(as_text, dataset["class_names"]))
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


def _training_of_target(metrics: Facts) -> list[str]:
    if not metrics:
        return ["Unknown."]
    lines = [f"- {name}: {metrics[name]}" for name in ("epochs", "precision") if name in metrics]
    return [*lines, "- no adversarial training; nothing was chosen on test images"]


def _measured_of_target(metrics: Facts) -> list[str]:
    if not metrics:
        return ["Nothing yet."]
    return [f"- accuracy on {split} images: {1 - metrics[f'{split}_error']:.4f}" for split in ("validation", "test")]


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
