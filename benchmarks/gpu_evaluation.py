"""What a genome's training costs on a GPU: networks trained as one stack, beside the loop of the peers.

First it shows that stacks train as networks alone do, and replayed steps as plain ones; where they do not, it ends
there. Then Markdown tables: seconds per genome of the paper's search recipe (25 epochs of 45,000 images) for stacks of
several sizes, extrapolated from the epochs of fewer random images; the peers' loop for one network; where the time of
the best stack goes. Rows are printed as they come, and none is begun after --minutes.

    python benchmarks/gpu_evaluation.py
    python benchmarks/gpu_evaluation.py --device cpu --images 300 --stacks 1 2 --minutes 1    # a rehearsal, no graphs

It needs the repository, torch, torchvision, pydantic and PyYAML.
"""

import argparse
import random
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # The repository may not be installed there.

import torch
from torch import Tensor, nn
from training_arms import network_of as peers_network
from training_arms import plain_loop

from roco.networks.decoder import GenomeNetwork
from roco.runtime import start_torch
from roco.settings import Recipe
from roco.space.complexity import complexity
from roco.space.genome import Genome
from roco.training import loop
from roco.training.loop import Training, train_together
from roco.training.stacks import fused

MEAN, STD = [0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]
RECIPE, TRAINED_IMAGES = Recipe(), 45_000
# The differences that rounding makes in the mean loss of an epoch.
TOLERANCE = {"fp32": 0.01, "bf16": 0.05}
# Passes over a map that no training of it can do without: written and read forward, and backward read again beside its
# gradient, which is written and read.
PASSES = 5


def genomes_of(count: int) -> list[Genome]:
    """Random genomes as a first population has them, with three active phases."""
    generator, found = random.Random(0), list[Genome]()
    while len(found) < count:
        genome = Genome.parse("-".join("".join(generator.choice("01") for _ in range(16)) for _ in range(3)))
        if len(genome.phenotype.phases) == 3:
            found.append(genome)
    return found


def networks_of(count: int, device: torch.device) -> list[GenomeNetwork]:
    networks = []
    for seed, genome in enumerate(genomes_of(count)):
        torch.manual_seed(seed)
        network = GenomeNetwork(genome.phenotype, channels=16, classes=10, stem_padding=0, mean=MEAN, std=STD)
        networks.append(network.to(device, memory_format=torch.channels_last))
    return networks


def data_of(count: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Random images whose class is in their brightness, so that there is something to learn."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 10, (count,), generator=generator)
    images = torch.randint(0, 156, (count, 3, 32, 32), generator=generator, dtype=torch.uint8)
    images += (10 * labels).to(torch.uint8)[:, None, None, None]
    return images.to(device), labels.to(device)


# ---------------------------------------------------------------------------------------------------------------
# The check


def losses_of(
    networks: Sequence[nn.Module], data: tuple[Tensor, Tensor], recipe: Recipe, *, capture: bool
) -> list[Any]:
    trainings = [Training(network, 0) for network in networks]
    train_together(trainings, data[0], labels=data[1], recipe=recipe, capture=capture)
    for one in trainings:
        if one.failure is not None:
            sys.exit(f"a training failed: {one.failure}")
    return [one.losses for one in trainings]


def check(precision: str, data: tuple[Tensor, Tensor]) -> None:
    """Networks alone against stacks, by hand and replayed, with and without kernels; ends where they differ."""
    recipe, device = Recipe(precision=precision, epochs=5), data[0].device
    stacks_on, kernels = loop.stacks_on, fused.kernels
    loop.stacks_on = lambda device: False
    alone = [losses_of([network], data, recipe, capture=False)[0] for network in networks_of(3, device)]
    again = losses_of(networks_of(1, device), data, recipe, capture=False)
    loop.stacks_on = stacks_on
    stacked = {"stacked, by hand": losses_of(networks_of(3, device), data, recipe, capture=False)}
    stacked["stacked, replayed"] = losses_of(networks_of(3, device), data, recipe, capture=True)
    fused.kernels = lambda device: None  # type: ignore[assignment]
    stacked["stacked, without kernels"] = losses_of(networks_of(3, device), data, recipe, capture=True)
    fused.kernels = kernels

    def furthest(found: Sequence[list[float]], expected: Sequence[list[float]]) -> float:
        return max(
            abs(one - other) / other
            for losses, wanted in zip(found, expected, strict=False)
            for one, other in zip(losses, wanted, strict=True)
        )

    gaps = {"alone, once more": furthest(again, alone)} | {
        name: furthest(found, alone) for name, found in stacked.items()
    }
    print(f"{precision}: losses of 5 epochs of {len(data[0]):,} images, beside networks alone: ", end="")
    print(", ".join(f"{name} {gap:.1e} apart" for name, gap in gaps.items()), flush=True)
    # Where a network alone differs from run to run, a stack may.
    limit = max(TOLERANCE[precision], 3 * gaps.pop("alone, once more"))
    if max(gaps.values()) > limit:
        sys.exit(f"more than {limit:.1e}: stacks do not train as networks alone; nothing was timed")


# ---------------------------------------------------------------------------------------------------------------
# Times


@dataclass
class Watch:
    """When epochs end, after the device has been waited for.

    Attributes:
        ends: of the epochs; the first entry is the beginning.
    """

    ends: list[float] = field(default_factory=lambda: [time.perf_counter()])

    def on_epoch(self, epoch: int, loss: float) -> None:
        self.ends.append(time.perf_counter())

    def seconds(self) -> list[float]:
        """Of each epoch; the first ones make ready what the others use."""
        return [end - begin for begin, end in zip(self.ends, self.ends[1:], strict=False)]


def copy_bandwidth(device: torch.device) -> float:
    """Bytes that a copy on the device reads and writes a second."""
    source = torch.zeros(2**29 if device.type == "cuda" else 2**26, dtype=torch.uint8, device=device)
    target, best = torch.empty_like(source), float("inf")
    for _ in range(10):
        synchronise(device)
        begun = time.perf_counter()
        target.copy_(source)
        synchronise(device)
        best = min(best, time.perf_counter() - begun)
    return 2 * source.numel() / best


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def bytes_of_a_genome(networks: Sequence[GenomeNetwork], precision: str) -> float:
    """Bytes that a training has to move, on average: each map `PASSES` times; its weights do not count."""
    values = 0
    for network in networks:
        side = 30
        for phase in network.active_phases:
            graph = phase.graph
            # The phase's input and output, and of each node the convolution and what follows it; joins of several maps.
            joins = sum(len(sources) > 1 for sources in graph.inputs) + (len(graph.outputs) + graph.residual > 1)
            values += (2 + 2 * len(graph.inputs) + joins) * phase.output_channels * side * side
            side //= 2
    size = 2 if precision == "bf16" else 4
    return PASSES * size * values / len(networks) * TRAINED_IMAGES * RECIPE.epochs


def measure(precision: str, size: int, data: tuple[Tensor, Tensor], epochs: int, bandwidth: float) -> tuple[float, str]:
    """Seconds per genome, and the row of the table."""
    device = data[0].device
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    networks, watch = networks_of(size, device), Watch()
    trainings = [Training(network, 0) for network in networks]
    trainings[-1].on_epoch = watch.on_epoch
    recipe = RECIPE.model_copy(update={"precision": precision, "epochs": epochs})
    train_together(trainings, data[0], labels=data[1], recipe=recipe)
    if failures := {one.failure for one in trainings if one.failure is not None}:
        return float("inf"), f"| {precision} | {size} | {', '.join(failures)} | | | | | |"
    first, *_ = watch.seconds()
    epoch = statistics.median(watch.seconds()[-2:])
    a_genome = epoch * TRAINED_IMAGES / len(data[0]) * RECIPE.epochs / size
    least = bytes_of_a_genome(networks, precision) / bandwidth
    memory = f"{torch.cuda.max_memory_reserved() / 2**30:.1f}" if device.type == "cuda" else "-"
    step = 1000 * epoch / -(-len(data[0]) // RECIPE.batch_size) / size
    cells = (f"{step:.3f}", f"{a_genome:.2f}", f"{800 * a_genome / 3600:.2f}", f"{least / a_genome:.0%}", memory)
    return a_genome, f"| {precision} | {size} | " + " | ".join(cells) + f" | {first - epoch:.1f} |"


def peers(data: tuple[Tensor, Tensor], images: int) -> float:
    """Seconds per genome of the loop that the peers have, by an epoch of few images after a warm-up."""
    options = argparse.Namespace(channels=16, device=data[0].device)
    genome = str(genomes_of(1)[0])
    seconds = []
    for count in (256, images):
        network = peers_network(genome, options, "peers")
        part = (data[0][:count], data[1][:count])
        synchronise(data[0].device)
        begun = time.perf_counter()
        plain_loop(network, *part, RECIPE.model_copy(update={"epochs": 1, "precision": "fp32"}), arm="peers", workers=0)
        synchronise(data[0].device)
        seconds.append((time.perf_counter() - begun) / len(part[0]))
    return seconds[-1] * TRAINED_IMAGES * RECIPE.epochs


def costliest(precision: str, size: int, data: tuple[Tensor, Tensor]) -> list[str]:
    """The ten kernels that take most of a few steps, by hand, with their share."""
    networks = networks_of(size, data[0].device)
    few = (data[0][: 20 * RECIPE.batch_size], data[1][: 20 * RECIPE.batch_size])
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        losses_of(networks, few, RECIPE.model_copy(update={"precision": precision, "epochs": 1}), capture=False)
    events = [(event.key, event.self_device_time_total, event.count) for event in profile.key_averages()]
    total = sum(microseconds for _, microseconds, _ in events)
    events.sort(key=lambda event: -event[1])
    return [f"| {name[:90]} | {count} | {time_ / total:.1%} |" for name, time_, count in events[:10]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--stacks", type=int, nargs="+", default=[1, 8, 20, 40, 64])
    parser.add_argument("--precisions", nargs="+", default=["bf16", "fp32"], choices=["fp32", "bf16"])
    parser.add_argument("--images", type=int, default=60 * 128, help="of an epoch that is measured")
    parser.add_argument("--epochs", type=int, default=4, help="that are measured; the last two count")
    parser.add_argument("--peers-images", type=int, default=2560)
    parser.add_argument("--minutes", type=float, default=3.5, help="after which no row is begun")
    options = parser.parse_args()
    began = time.perf_counter()
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit("gpu_evaluation.py: torch sees no GPU here; nothing was measured (--device cpu rehearses the loops)")
    device = start_torch(options.device)
    name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU, a rehearsal"
    bandwidth = copy_bandwidth(device)
    print(f"{name}, torch {torch.__version__}, CUDA {torch.version.cuda}; a copy moves {bandwidth / 1e9:,.0f} GB/s")
    print(f"kernels: {'Triton' if device.type == 'cuda' and fused.kernels(device) else 'torch only'}", flush=True)
    few = data_of(min(6 * 128 + 50, options.images), device)
    for precision in options.precisions:
        check(precision, few)
    print(f"checked after {time.perf_counter() - began:.0f} s", flush=True)
    data = data_of(options.images, device)
    flops = statistics.mean(
        complexity(genome.phenotype, channels=16, classes=10, stem_padding=0, image_size=32).flops
        for genome in genomes_of(max(options.stacks))
    )
    print(f"\nRandom genomes of {flops / 1e6:.1f}M multiply-adds on average.\n")
    print(
        "| precision | networks | ms per step, network | s per genome | h for 800 | of byte limit | GiB | s to begin |"
    )
    print("|---|---|---|---|---|---|---|---|", flush=True)
    best = (float("inf"), options.precisions[0], options.stacks[0])
    for precision in options.precisions:
        for size in options.stacks:
            if time.perf_counter() - began > 60 * options.minutes:
                print(f"\n{options.minutes:g} minutes are over: no {precision}, {size} and what follows")
                break
            seconds, row = measure(precision, size, data, options.epochs, bandwidth)
            best = min(best, (seconds, precision, size))
            print(row, flush=True)
    if best[0] < float("inf"):
        alone = peers(data, min(options.peers_images, options.images))
        print(f"\nThe peers' loop, fp32, one network: {alone:.0f} s per genome, {alone / best[0]:.0f} times the best.")
    if device.type == "cuda":
        print(f"\n{best[1]}, {best[2]} networks, a step by hand:\n\n| kernel | calls | share |\n|---|---|---|")
        print("\n".join(costliest(best[1], best[2], data)))
    print(f"\n{time.perf_counter() - began:.0f} s in all")


if __name__ == "__main__":
    main()
