"""Makes up the files of a study, with invented numbers, for tests of the report. Nothing here was measured."""

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from fabricated_images import adversarial_set, write_dataset
from made_records import evaluation, failed_training, measured_network

from roco.attacks.records import CellSuccesses
from roco.config import StudyConfig, check_config
from roco.report.read.collect import StudyFiles
from roco.space.settings import PUBLISHED_GENOMES
from roco.storage.artifacts import write_json

ATTACKS = {
    "fgsm_0.1": {"method": "fgsm", "eps": 25.5},
    "bim": {"method": "bim", "eps": 1.0, "alpha": 0.25, "steps": 10},
    "pgd": {"method": "pgd", "eps": 1.0, "alpha": 0.25, "steps": 10},
    "deepfool": {"method": "deepfool"},
    "cw": {"method": "cw"},
}
SEARCHES = {"baseline": ["error", "flops"], "roco": ["error", "flops", "adversarial_error"]}
RADII = [0.5, 1.0, 4.0]
PHASES = ["0010000000000000", "1000101100001101", "0001010111101111", "0010000010000000", "0001100101011101"]


def config_of(
    searches: Mapping[str, Any] = SEARCHES,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    dataset: str | dict[str, str] = "digits",
    **changes: Any,
) -> StudyConfig:
    raw = {
        "experiment": "made_up",
        "seeds": list(seeds),
        "dataset": {"name": dataset} if isinstance(dataset, str) else dataset,
        "search": {
            "searches": dict(searches),
            "generations": 3,
            "population": 8,
        },
        "retraining": {"references": ["paper_roco"]},
        "robustness": {"images": 200, "attacks": ATTACKS},
    }
    return check_config(raw | changes)


def individual(generator: np.random.Generator, *, progress: float, status: str = "ok") -> dict[str, Any]:
    genome = "-".join(generator.choice(PHASES, 3))
    flops = int(generator.integers(4_000_000, 40_000_000))
    error = 0.08 + 3e5 / flops**0.9 + 0.3 * (1 - progress) * generator.random()
    failed = status == "failed"
    return {
        "genome": genome,
        "key": f"{generator.integers(16**12):012x}",
        "status": status,
        "error": 1.0 if failed else float(round(error, 4)),
        "adversarial_error": 1.0 if failed else float(round(error + 0.1 * generator.random(), 4)),
        "flops": flops,
        "parameters": flops // 100,
    }


def robustness(
    generator: np.random.Generator, place: dict[str, Any], network: dict[str, Any], bonus: float
) -> dict[str, Any]:
    """The robustness.json of a slot; `bonus` is added to its robust accuracies."""
    images, cells = (
        200,
        [("lenet", "l0", 1, 40), ("lenet", "linf", 3, 30), ("resnet", "l0", 1, 20), ("resnet", "linf", 3, 25)],
    )
    attacks = {}
    for position, (name, settings) in enumerate(ATTACKS.items()):
        correct = int(generator.binomial(images, min(0.95, 0.3 + 0.08 * position + bonus)))
        attacks[name] = {
            "method": settings["method"],
            "settings": settings,
            "accuracy": correct / images,
            "correct": correct,
            "robust_images": "1" * correct + "0" * (images - correct),
            "median_l2": None if name == "pgd" else round(0.1 + 0.1 * position + correct / 10_000, 4),
            "median_linf": 0.004,
            "failures": 0,
        }
    errors = [int(generator.binomial(count, 0.3 - bonus)) for *_, count in cells]
    breakdown = [
        {"target": t, "norm": n, "threshold": k, "images": count, "errors": e}
        for (t, n, k, count), e in zip(cells, errors, strict=True)
    ]
    wrong = int(generator.integers(20, 60))
    white_box = {"images": images, "clean_accuracy": 0.92, "attacks": attacks}
    white_box |= {"right_images": "0" * 16 + "1" * (images - 16), **verdicts(generator, images, bonus)}
    return measured_network(
        **place,
        **retrained(network),
        test_images=500,
        test_error=wrong / 500,
        right_images="0" * wrong + "1" * (500 - wrong),
        adversarial_error=sum(errors) / 115,
        adversarial_breakdown=breakdown,
        adversarial_sources=sources([count for *_, count in cells], errors),
        white_box=white_box,
    ).model_dump()


def retrained(network: dict[str, Any]) -> dict[str, Any]:
    """What a retraining of a network has of it, whether it failed or not."""
    search = {f"search_{name}": network[name] for name in ("flops", "parameters")}
    large = {name: network[name] * 4 for name in ("flops", "parameters")}
    texts = {"genome": network["genome"], "key": network["key"]}
    return {**texts, **search, **large, "channels": 32, "dataset_fingerprint": ""}


def sources(counts: list[int], errors: list[int]) -> dict[str, list[int]]:
    """The images of all cells in a row, from 40 test images in turn; the first ones of a cell are wrong.

    Under noise the first 20 are wrong. Every tenth test image is a source; a network has the first ones wrong itself.
    """
    right = np.concatenate([np.arange(count) >= wrong for count, wrong in zip(counts, errors, strict=True)])
    source = np.arange(sum(counts)) % 40
    weights = {"images": None, "right": right, "noise_right": np.arange(sum(counts)) >= 20}
    of_source = {name: np.bincount(source, one, minlength=40).astype(int).tolist() for name, one in weights.items()}
    return {"source_index": list(range(0, 400, 10)), **of_source}


def verdicts(generator: np.random.Generator, images: int, bonus: float) -> dict[str, Any]:
    """Radii, smallest perturbations and flags of a network: 16 images wrong from the start, two that nothing fools."""
    linf = generator.exponential(3 + 20 * bonus, images) / 255
    linf[:16], linf[-2:] = 0.0, np.inf
    held = [linf > radius / 255 for radius in RADII]
    smallest = {
        norm: {"median": None, "per_image": [None if np.isinf(one) else float(one) for one in linf * factor]}
        for norm, factor in (("l2", 30.0), ("linf", 1.0))
    }
    return {
        "curve": {
            "norm": "linf",
            "radii": RADII,
            "images": images,
            "accuracy": [float(one.mean()) for one in held],
            "robust_images": ["".join("01"[int(mark)] for mark in one) for one in held],
        },
        "smallest_perturbations": smallest,
        "flags": [
            {"name": "noise", "raised": bool(linf[20] > 6 / 255), "detail": "noise of 8/255 turns 3 images, PGD 2"},
            {"name": "more_steps", "raised": False, "detail": "40 after 5 steps and 38 after 20"},
        ],
    }


class FabricatedStudy:
    """Writes the files of a study below a folder and remembers their paths."""

    def __init__(self, folder: Path, config: StudyConfig) -> None:
        self.folder, self.config = folder, config
        self.paths: dict[str, list[Path]] = {name: [] for name in StudyFiles.__dataclass_fields__}

    @property
    def files(self) -> StudyFiles:
        return StudyFiles(**{name: tuple(paths) for name, paths in self.paths.items()})

    def json(self, collection: str, path: str, kind: str, content: object) -> None:
        write_json(self.folder / path, kind, content)
        self.paths[collection].append(self.folder / path)

    def targets(self) -> None:
        for name in ("resnet", "lenet"):
            content = {"split": "validation", "target": name, "seed": 0, "architecture": {}, "parameters": 5000}
            content |= {"epochs": 3, "precision": "fp32", "train_loss": [1.0]}
            errors = {"validation_error": 0.1, "test_error": 0.12, "seconds": 12.5}
            self.json("targets", f"targets/{name}/metrics.json", "target", content | errors)

    def adversarial_sets(self, successes: int = 7) -> None:
        for split in ("validation", "test"):
            cells = tuple(
                CellSuccesses(target=t, norm=n, threshold=k, attacked=50, successes=successes * (k + i))
                for i, t in enumerate(("lenet", "resnet"))
                for n in ("l0", "linf")
                for k in (1, 3)
            )
            path = self.folder / f"adversarial/{split}.h5"
            adversarial_set(split, cells).save(path)
            self.paths["adversarial_sets"].append(path)

    def dataset(self) -> None:
        write_dataset(self.folder / "dataset.h5")
        self.paths["images"].append(self.folder / "dataset.h5")

    def transfer(self) -> None:
        """From lenet a half, from resnet a fifth of 10 k images; noise fools one of them. None at L0 3 from resnet."""
        pairs = [
            {"norm": n, "threshold": k, "source": source, "target": target, "images": 10 * k, "noise": 1}
            | {"fooled": 10 * k // share}
            for source, target, share in (("lenet", "resnet", 2), ("resnet", "lenet", 5))
            for n in ("l0", "linf")
            for k in (1, 3)
        ]
        nothing = {"images": 0, "fooled": 0, "noise": 0}
        pairs[5] |= nothing
        content = {"split": "test", "dataset_fingerprint": "", "pairs": pairs}
        self.json("transfer", "adversarial/transfer.json", "transfer", content)

    def search(
        self, name: str, seed: int, *, networks: int = 6, bonus: float = 0.0, failed: int = 0, partly: bool = False
    ) -> None:
        """Of the last `failed` networks all trainings fail; `partly`: and the last training of the first one."""
        generator = np.random.default_rng([len(name), sum(map(ord, name)), seed])
        place = {"search": name, "seed": seed}
        population: list[dict[str, Any]] = []
        for generation in range(self.config.search.generations + 1):
            progress = generation / max(1, self.config.search.generations)
            made = [individual(generator, progress=progress) for _ in range(7)]
            made.append(individual(generator, progress=progress, status="failed"))
            extra = {name: value for name, value in dict(evaluation()).items() if name not in made[0]}
            extra |= {"seconds": 4.0, "seed": 99}
            folder = f"search/{name if generation else 'initial'}/seed_{seed}/generation_{generation:03d}"
            records = [{**one, **extra, "reason": "NaN" if one["status"] == "failed" else None} for one in made]
            self.json("shards", f"{folder}/evaluations/shard_{name}.json", "evaluations", records)
            population = sorted(population + made, key=lambda one: one["error"])[:8]
            members = [{**one, "born": generation, "rank": 0} for one in population]
            content = {
                **place,
                "generation": generation,
                "objectives": ["error", "flops"],
                "individuals": members,
                "seen": [f"{number:012x}" for number in range(8 * (generation + 1))],
            }
            self.json(
                "populations",
                f"search/{name}/seed_{seed}/generation_{generation:03d}/population.json",
                "population",
                content,
            )
        chosen = sorted([one for one in population if one["status"] == "ok"][:networks], key=lambda one: one["flops"])
        front = [{**one, "born": 0, "rank": 0} for one in chosen]
        self.json(
            "fronts", f"search/{name}/seed_{seed}/front.json", "front", {**place, "objectives": [], "networks": front}
        )
        trainings = self.config.retraining.seeds
        for (slot, network), training_seed in product(enumerate(front), trainings):
            spot = {**place, "slot": slot, "training_seed": training_seed}
            content = robustness(generator, spot, network, bonus)
            if slot >= len(front) - failed or (partly and slot == 0 and training_seed == trainings[-1]):
                content = failed_training(**spot, **retrained(network), reason="loss is NaN").model_dump()
            self.slot(content)
        for training_seed in trainings:
            self.slot({**place, "slot": len(front), "training_seed": training_seed, "status": "empty"})

    def slot(self, content: dict[str, Any]) -> None:
        content = {"training_seed": 0} | content
        place = f"seed_{content['seed']}/slot_{content['slot']:03d}/training_{content['training_seed']}"
        folder = f"retrained/{content['search']}/{place}"
        self.json("robustness", f"{folder}/robustness.json", "robustness", content)
        ended = {"train_loss": [1.0], "seconds": 30.0} if content["status"] == "ok" else {}
        self.json("trainings", f"{folder}/training.json", "training", content | ended)

    def reference(self) -> None:
        network = {
            "genome": PUBLISHED_GENOMES["paper_roco"],
            "key": "0123456789e1",
            "flops": 32_000_000,
            "parameters": 338_394,
        }
        generator = np.random.default_rng(5)
        for training_seed in self.config.retraining.seeds:
            place = {"search": "references", "seed": 0, "slot": 0, "training_seed": training_seed}
            self.slot(robustness(generator, place, network, 0.0))


def fabricate(
    folder: Path,
    config: StudyConfig | None = None,
    *,
    bonus: float = 0.08,
    networks: int = 6,
    failed: int = 0,
    partly: bool = False,
) -> FabricatedStudy:
    """A whole made-up study: the last search of the configuration is more robust by `bonus`."""
    config = config or config_of()
    study = FabricatedStudy(folder, config)
    study.targets()
    study.dataset()
    study.adversarial_sets()
    study.transfer()
    for place, name in enumerate(config.search.searches):
        for seed in config.seeds:
            gain = bonus if place and place == len(config.search.searches) - 1 else 0.0
            study.search(name, seed, networks=networks, bonus=gain, failed=failed, partly=partly)
    study.reference()
    return study
