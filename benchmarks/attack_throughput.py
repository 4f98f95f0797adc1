"""How often and how fast the attacks of the adversarial sets succeed, beside torchattacks' own, in one run.

For each image all attacks are judged alike: the result is rounded to uint8, its budget checked, and it is classified
again. The attacks take turns on small groups of images, so that a slow minute of the machine falls on all of them.

    python benchmarks/attack_throughput.py --target results/E/targets/lenet/network.safetensors \
        --dataset results/E/dataset.h5 --images 100
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from roco.attacks.cell import correctly_classified
from roco.attacks.l0 import L0Attack, attack_l0
from roco.attacks.linf import attack_linf, round_within
from roco.attacks.norms import DECIDED, changed_pixels, largest_change, margins_of
from roco.attacks.torchattacks_adapter import run_torchattack
from roco.config import (
    DifferentialEvolution,
    Greedy,
    MomentumIterative,
    ProjectedGradient,
    RandomSearch,
    SparseGradient,
)
from roco.data.dataset import Dataset
from roco.networks import load_network
from roco.runtime import numpy_generator, seed_from, start_torch, versions
from roco.training import to_unit

# Network, uint8 images, labels, budget, number of the group; back come uint8 images.
Attack = Callable[[nn.Module, Tensor, Tensor, int, int], Tensor]


@dataclass
class Row:
    """What one attack did at one budget."""

    successes: int = 0
    images: int = 0
    margins: list[float] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)


def one_pixel(network: nn.Module, images: Tensor, labels: Tensor, budget: int, group: int) -> Tensor:
    settings = {"pixels": budget, "popsize": 100, "steps": 100}
    found = run_torchattack(
        network,
        to_unit(images),
        labels=labels,
        method="onepixel",
        settings=settings,
        seed=group,
        batch_size=len(images),
    )
    return (found * 255).round().clamp(0, 255).to(torch.uint8)


def plain_pgd(network: nn.Module, images: Tensor, labels: Tensor, budget: int, group: int) -> Tensor:
    eps = budget / 255
    settings = {"eps": eps, "alpha": eps / 4, "steps": 40, "random_start": True}
    found = run_torchattack(
        network, to_unit(images), labels=labels, method="pgd", settings=settings, seed=group, batch_size=len(images)
    )
    return round_within(images, found, threshold=budget)


def pixels(settings: L0Attack, network: nn.Module, images: Tensor, labels: Tensor, budget: int, group: int) -> Tensor:
    generators = [numpy_generator(settings.method, group, row) for row in range(len(images))]
    return attack_l0(network, images, labels=labels, n_pixels=budget, settings=settings, generators=generators)


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
    "random_search, 1,000 queries, first success": partial(pixels, RandomSearch(queries=1000, margin=0.0)),
    "random_search, 1,000 queries, margin 5": partial(pixels, RandomSearch(queries=1000, margin=5.0)),
    "greedy, 32 candidates, first success": partial(pixels, Greedy(candidates=32, margin=0.0)),
    "greedy, 32 candidates, margin 5": partial(pixels, Greedy(candidates=32, margin=5.0)),
    "sparse_gradient, 100 steps, first success": partial(pixels, SparseGradient(steps=100, margin=0.0)),
    "sparse_gradient, 100 steps, margin 5": partial(pixels, SparseGradient(steps=100, margin=5.0)),
}
LINF_ATTACKS: dict[str, Attack] = {
    "torchattacks PGD-40, rounded": plain_pgd,
    "pgd, 40 steps": partial(gradient, ProjectedGradient(steps=40)),
    "pgd, 40 steps, 5 restarts": partial(gradient, ProjectedGradient(steps=40, restarts=5)),
    "mifgsm, 20 steps": partial(gradient, MomentumIterative(steps=20)),
}


def measure(
    attack: Attack, network: nn.Module, images: Tensor, labels: Tensor, *, norm: str, budget: int, group: int, row: Row
) -> None:
    began = time.perf_counter()
    found = attack(network, images, labels, budget, group)
    if images.device.type == "cuda":
        torch.cuda.synchronize()
    row.milliseconds.append(1000 * (time.perf_counter() - began) / len(images))
    distance = changed_pixels(images, found) if norm == "l0" else largest_change(images, found)
    margins = margins_of(network, found, labels=labels, batch_size=64)
    fooled = (margins >= DECIDED) & (distance <= budget)
    row.successes += int(fooled.sum())
    row.images += len(images)
    row.margins += margins[fooled].tolist()


def show(title: str, table: dict[tuple[str, int], Row], budgets: list[int]) -> None:
    print(f"\n{title}: success in %, median ms an image over groups, median margin of successes in logits")
    print("| attack | " + " | ".join(str(budget) for budget in budgets) + " |")
    print("|---" * (len(budgets) + 1) + "|")
    for name in dict.fromkeys(name for name, _ in table):
        cells = []
        for budget in budgets:
            row = table[name, budget]
            margin = statistics.median(row.margins) if row.margins else float("nan")
            rate, speed = 100 * row.successes / row.images, statistics.median(row.milliseconds)
            cells.append(f"{rate:.0f}, {speed:.1f} ms, {margin:.1f}")
        print(f"| {name} | " + " | ".join(cells) + " |")


def hardware(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name()
    return f"one core of {platform.processor() or platform.machine()}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", required=True, help="network.safetensors of a target")
    parser.add_argument("--dataset", required=True, help="dataset.h5")
    parser.add_argument("--images", type=int, default=100, help="correctly classified test images to attack")
    parser.add_argument("--group", type=int, default=25, help="images attacked together")
    parser.add_argument("--budgets", type=int, nargs="+", default=[1, 3, 5, 10])
    parser.add_argument("--skip", nargs="*", default=[], help="attacks to leave out, by the beginning of their names")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    options = parser.parse_args()

    device = start_torch(options.device)
    network, _ = load_network(options.target)
    network.to(device)
    split = Dataset.load(options.dataset).test
    order = np.random.default_rng(seed_from("benchmark")).permutation(len(split))
    source = correctly_classified(network, split, order=order, count=options.images, device=device)
    images = torch.from_numpy(split.images[source]).to(device)
    labels = torch.from_numpy(split.labels[source]).to(device)
    print(f"{len(source)} images, {hardware(device)}, torch {versions()['torch']}")

    for norm, attacks in (("l0", L0_ATTACKS), ("linf", LINF_ATTACKS)):
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
