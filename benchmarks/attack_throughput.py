"""How often and how fast the attacks of the adversarial sets succeed, beside torchattacks' own, in one run.

For each image all attacks are judged alike: the result is rounded to uint8, its budget checked, and it is classified
again. The attacks take turns on small groups of images, so that a slow minute of the machine falls on all of them. On a
CPU the time is that of the process on one core, so that other work on the machine does not count.

    python benchmarks/attack_throughput.py --data cifar10.npz
    python benchmarks/attack_throughput.py --target results/E/targets/lenet/network.safetensors \
        --dataset results/E/dataset.h5 --images 100

Without --target a network is trained first: on the images of --data (Keras's .npz), or on scikit-learn's digits. One
L0 attack by its settings, as configs/paper.yaml has it, at all budgets, on 1,000 images at once of a ResNet-32 that is
trained for some minutes (meant for a GPU):

    python benchmarks/attack_throughput.py --data cifar10.npz --architecture resnet --epochs 20 --device cuda \\
        --images 1000 --group 1000 --l0 '{"method": "random_search", "queries": 10000, "greedy_candidates": 64,
        "margin": 5.0, "exhaustive": true}'
"""

import argparse
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from pydantic import TypeAdapter
from torch import Tensor, nn

from roco.attacks.batches import run_in_batches, torchattack
from roco.attacks.l0 import (
    DifferentialEvolution,
    Greedy,
    L0Attack,
    MaskedGradient,
    RandomSearch,
    SigmaZero,
    SparseGradient,
    attack_l0,
)
from roco.attacks.l0.counter import keys_of
from roco.attacks.linf import MomentumIterative, ProjectedGradient, attack_linf, round_within
from roco.attacks.norms import DECIDED, changed_pixels, largest_change, margins_of
from roco.attacks.sets.chain import correctly_classified
from roco.data.dataset import Dataset, make_dataset
from roco.data.settings import DatasetConfig
from roco.networks.files import load_network
from roco.networks.spec import TargetSpec
from roco.networks.targets import ARCHITECTURES
from roco.runtime import seed_from, start_torch, versions
from roco.settings import Recipe
from roco.storage.store import Store
from roco.training.batches import to_unit
from roco.training.train_or_load import TrainingRequest, error_on, train_or_load

# Network, uint8 images, labels, budget, number of the group; back come uint8 images.
Attack = Callable[[nn.Module, Tensor, Tensor, int, int], Tensor]


@dataclass
class Row:
    """What one attack did at one budget."""

    successes: int = 0
    images: int = 0
    margins: list[float] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)

    @property
    def speed(self) -> float:
        """Milliseconds per image: the median over groups."""
        return statistics.median(self.milliseconds)


def one_pixel(network: nn.Module, images: Tensor, labels: Tensor, budget: int, group: int) -> Tensor:
    settings = {"pixels": budget, "popsize": 100, "steps": 100}
    found = peer("OnePixel", settings, network, images, labels, group)
    return (found * 255).round().clamp(0, 255).to(torch.uint8)


def peer(name: str, settings: dict[str, Any], network: nn.Module, images: Tensor, labels: Tensor, group: int) -> Tensor:
    """What an attack of torchattacks makes of images, in [0, 1]."""
    return run_in_batches(
        lambda batch: torchattack(batch, name, **settings),
        network,
        to_unit(images),
        labels=labels,
        method=name,
        seed=group,
        batch_size=len(images),
    )


def library(
    name: str,
    settings: dict[str, Any],
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    budget: int,
    group: int,
) -> Tensor:
    settings = settings | {"eps": budget / 255} | ({"alpha": budget / 255 / 4} if name == "PGD" else {})
    found = peer(name, settings, network, images, labels, group)
    return round_within(images, found, threshold=budget)


def pixels(settings: L0Attack, network: nn.Module, images: Tensor, labels: Tensor, budget: int, group: int) -> Tensor:
    keys = keys_of(settings.method, group, rows=range(len(images)), device=images.device)
    return attack_l0(network, images, labels=labels, n_pixels=budget, settings=settings, keys=keys)


def gradient(
    settings: ProjectedGradient | MomentumIterative,
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    budget: int,
    group: int,
) -> Tensor:
    return attack_linf(network, images, labels=labels, threshold=budget, settings=settings, seed=group)


L0_ATTACKS: dict[str, Attack] = {
    "torchattacks OnePixel(popsize=100, steps=100)": one_pixel,
    "differential_evolution, 100 x 100": partial(pixels, DifferentialEvolution(population=100, steps=100)),
    "random_search, 1,000 queries, margin 5": partial(pixels, RandomSearch(queries=1000)),
    "random_search, 300 queries after greedy with 32, margin 5": partial(
        pixels, RandomSearch(queries=300, greedy_candidates=32)
    ),
    "greedy, 16 candidates, first success": partial(pixels, Greedy(candidates=16, margin=0.0)),
    "greedy, 64 candidates, first success": partial(pixels, Greedy(candidates=64, margin=0.0)),
    "greedy, 512 candidates, 9 rivals, 8 corners, first success": partial(
        pixels, Greedy(candidates=512, rivals=9, corners=8, margin=0.0)
    ),
    "greedy, 64 candidates, margin 5": partial(pixels, Greedy(candidates=64)),
    "sparse_gradient, 100 steps, first success": partial(pixels, SparseGradient(margin=0.0)),
    "sparse_gradient, 100 steps, margin 5": partial(pixels, SparseGradient()),
    "sigma_zero, 100 steps, first success": partial(pixels, SigmaZero(margin=0.0)),
    "sigma_zero, 1,000 steps, first success": partial(pixels, SigmaZero(steps=1000, margin=0.0)),
    "masked_gradient, 100 steps, first success": partial(pixels, MaskedGradient(margin=0.0)),
    "masked_gradient, 1,000 steps, first success": partial(pixels, MaskedGradient(steps=1000, margin=0.0)),
    "masked_gradient, projected, 100 steps, first success": partial(
        pixels, MaskedGradient(margin=0.0, unprojected=False)
    ),
    "masked_gradient, 100 steps, margin 5": partial(pixels, MaskedGradient()),
}
LINF_ATTACKS: dict[str, Attack] = {
    "torchattacks APGD-CE, 100 steps, rounded": partial(library, "APGD", {"steps": 100, "loss": "ce"}),
    "torchattacks PGD-40, rounded": partial(library, "PGD", {"steps": 40, "random_start": True}),
    "pgd, 40 steps": partial(gradient, ProjectedGradient(steps=40)),
    "pgd, 40 steps, 5 restarts": partial(gradient, ProjectedGradient(steps=40, restarts=5)),
    "mifgsm, 10 steps": partial(gradient, MomentumIterative(steps=10)),
    "mifgsm, 20 steps": partial(gradient, MomentumIterative(steps=20)),
    "mifgsm, 40 steps": partial(gradient, MomentumIterative(steps=40)),
}


def measure(
    attack: Attack, network: nn.Module, images: Tensor, labels: Tensor, *, norm: str, budget: int, group: int, row: Row
) -> None:
    began = clock(images.device)
    found = attack(network, images, labels, budget, group)
    row.milliseconds.append(1000 * (clock(images.device) - began) / len(images))
    distance = changed_pixels(images, found) if norm == "l0" else largest_change(images, found)
    margins = margins_of(network, found, labels=labels, batch_size=64)
    fooled = (margins >= DECIDED) & (distance <= budget)
    row.successes += int(fooled.sum())
    row.images += len(images)
    row.margins += margins[fooled].tolist()


def clock(device: torch.device) -> float:
    """Seconds: of this process on a CPU, of the day on a GPU that has done all its work."""
    if device.type == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def show(title: str, table: dict[tuple[str, int], Row], budgets: list[int]) -> None:
    names = list(dict.fromkeys(name for name, _ in table))
    print(
        f"\n{title}: success in %, ms per image (median over groups; how many times faster than the first line), ",
        end="",
    )
    print("median margin of the successes in logits")
    print("| attack | " + " | ".join(str(budget) for budget in budgets) + " |")
    print("|---" * (len(budgets) + 1) + "|")
    for name in names:
        cells = []
        for budget in budgets:
            row = table[name, budget]
            margin = statistics.median(row.margins) if row.margins else float("nan")
            rate, ratio = 100 * row.successes / row.images, table[names[0], budget].speed / row.speed
            cells.append(f"{rate:.0f} %, {row.speed:.1f} ms ({ratio:.1f}), {margin:.1f}")
        print(f"| {name} | " + " | ".join(cells) + " |")


def trained_target(
    data: str | None, *, architecture: str, epochs: int, test_images: int, device: torch.device
) -> tuple[nn.Module, Dataset]:
    """A network trained for a short time, and its data set."""
    sizes = (
        {"train_images": 12_000, "test_images": test_images} if data else {"train_images": None, "test_images": None}
    )
    dataset = make_dataset(DatasetConfig(name="npz" if data else "digits", path=data, **sizes))
    layers = ARCHITECTURES[architecture]()
    spec = TargetSpec(name=architecture, architecture=layers, classes=dataset.classes, image_size=dataset.image_size)
    recipe = Recipe(epochs=epochs, learning_rate=0.02, flip=bool(data))
    with tempfile.TemporaryDirectory() as folder:
        request = TrainingRequest(spec, weights_seed=0, order_seed=0)
        result = train_or_load(
            request, dataset, recipe=recipe, device="cuda" if device.type == "cuda" else "cpu", store=Store(folder)
        )
    print(f"{architecture}, trained on {len(dataset.train)} images of {data or 'digits'}")
    return result.trained, dataset


def hardware(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name()
    return f"one core of {platform.processor() or platform.machine()}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", help="network.safetensors of a target")
    parser.add_argument("--dataset", help="dataset.h5 of that target")
    parser.add_argument("--data", help="Keras's .npz to train a target on, if none is given (default: digits)")
    parser.add_argument("--images", type=int, default=100, help="correctly classified test images to attack")
    parser.add_argument("--group", type=int, default=25, help="images attacked together")
    parser.add_argument("--budgets", type=int, nargs="+", default=[1, 3, 5, 10])
    parser.add_argument("--norms", nargs="+", default=["l0", "linf"], choices=["l0", "linf"])
    parser.add_argument("--skip", nargs="*", default=[], help="attacks to leave out, by the beginning of their names")
    parser.add_argument("--l0", help="settings of one L0 attack as JSON, to be measured alone")
    parser.add_argument("--architecture", default="lenet", choices=list(ARCHITECTURES), help="of what is trained")
    parser.add_argument("--epochs", type=int, default=8, help="of its training")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    options = parser.parse_args()

    if bool(options.target) != bool(options.dataset):
        parser.error("--target and --dataset belong together")
    device = start_torch(options.device)
    if options.target:
        network, dataset = load_network(options.target)[0], Dataset.load(options.dataset)
    else:
        how = {"architecture": options.architecture, "epochs": options.epochs}
        # About half of them are classified correctly.
        test_images = max(1000, 3 * options.images)
        network, dataset = trained_target(options.data, **how, test_images=test_images, device=device)
    network.to(device).eval()
    split = dataset.test
    print(f"test accuracy {1 - error_on(split, network):.1%}")
    order = np.random.default_rng(seed_from("benchmark")).permutation(len(split))
    source = correctly_classified(network, split, order=order, count=options.images, device=device)
    images = torch.from_numpy(split.images[source]).to(device)
    labels = torch.from_numpy(split.labels[source]).to(device)
    print(f"{len(source)} images, {hardware(device)}, torch {versions()['torch']}")

    one = {options.l0: partial(pixels, TypeAdapter(L0Attack).validate_json(options.l0))} if options.l0 else None
    for norm in ["l0"] if one else options.norms:
        attacks = one or (L0_ATTACKS if norm == "l0" else LINF_ATTACKS)
        chosen = {name: attack for name, attack in attacks.items() if not name.startswith(tuple(options.skip))}
        table = {(name, budget): Row() for name in chosen for budget in options.budgets}
        for group, rows in enumerate(torch.arange(len(source), device=device).split(options.group)):
            for (name, budget), row in table.items():
                measure(
                    chosen[name], network, images[rows], labels[rows], norm=norm, budget=budget, group=group, row=row
                )
        show(norm, table, options.budgets)


if __name__ == "__main__":
    main()
