"""What a genome's training costs on a GPU: several side by side, replayed from CUDA graphs and step by step.

First it shows that replayed steps give what plain ones give, alone and beside others; if they do not, it ends there.
Then a Markdown table: the paper's recipe for the search on random images of CIFAR-10's size. A few epochs are measured;
the first, in which graphs are captured, counts once, the median of the others for the rest of the recipe. Rows are
printed as they come, and none is begun after --minutes.

    python benchmarks/gpu_evaluation.py
    python benchmarks/gpu_evaluation.py --device cpu --images 300 --at-once 1 2    # a rehearsal: the loops, no graphs

Beside torch it needs what `roco.training` imports: h5py, numpy, pydantic, PyYAML, safetensors.
"""

import argparse
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

from roco.config import Recipe
from roco.runtime import start_torch
from roco.space.genome import Genome
from roco.space.network import build_network
from roco.training import Training, train_together

MEAN, STD = [0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]
GENOME = Genome.parse("0010110100101000-1000101100001101-0001010111101111")  # 41.8M multiply-adds.
FORMS = {"graph": True, "plain": False}
# Replayed kernels are the same ones; what differs is the order of sums where kernels add atomically.
TOLERANCE = {"fp32": 0.005, "bf16": 0.05}


@dataclass
class Watch:
    """Notes when an epoch ends, and traces the device during the last one.

    Attributes:
        epochs: how many are trained.
        ends: when each ended; the first entry is the beginning.
        profile: traces the last epoch; None: nothing does.
        busy: the share of the last epoch in which the device was at work.
    """

    epochs: int
    profile: Any = None
    ends: list[float] = field(default_factory=lambda: [time.perf_counter()])
    busy: float | None = None

    def on_epoch(self, epoch: int, loss: float) -> None:
        """Called by the last of the trainings, after the device has been waited for."""
        now = time.perf_counter()
        if self.profile is not None and epoch == self.epochs:
            self.profile.stop()
            self.busy = covered(self.profile) / (now - self.ends[-1])
        if self.profile is not None and epoch == self.epochs - 1:
            self.profile.start()
        self.ends.append(time.perf_counter() if epoch == self.epochs - 1 else now)

    def seconds(self) -> list[float]:
        """Of each epoch."""
        return [end - begin for begin, end in zip(self.ends, self.ends[1:], strict=False)]


def covered(profile: Any) -> float:
    """Seconds in which at least one kernel or copy was at work on the device."""
    kind = torch.autograd.DeviceType.CUDA
    spans = sorted((e.time_range.start, e.time_range.end) for e in profile.events() if e.device_type == kind)
    total, reached = 0.0, float("-inf")
    for begin, end in spans:
        total += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return total / 1e6


def network_of(seed: int, device: torch.device) -> nn.Module:
    torch.manual_seed(seed)
    network = build_network(GENOME.phenotype, channels=16, classes=10, stem_padding=0, mean=MEAN, std=STD)
    return network.to(device, memory_format=torch.channels_last)


def data_of(count: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Random images whose class is in their brightness, so that there is something to learn."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 10, (count,), generator=generator)
    images = torch.randint(0, 156, (count, 3, 32, 32), generator=generator, dtype=torch.uint8)
    images += (10 * labels).to(torch.uint8)[:, None, None, None]
    return images.to(device), labels.to(device)


def losses_of(
    seeds: Sequence[int], data: tuple[Tensor, Tensor], recipe: Recipe, *, until: int, capture: bool
) -> list[list[float]]:
    trainings = [Training(network_of(seed, data[0].device)) for seed in seeds]
    train_together(trainings, data[0], labels=data[1], recipe=recipe, seed=0, until=until, capture=capture)
    for one in trainings:
        if one.failure is not None:
            sys.exit(f"a training failed: {one.failure}")
    return [one.losses for one in trainings]


def check(precision: str, data: tuple[Tensor, Tensor], epochs: int) -> None:
    """Plain steps against replayed ones, alone and side by side; ends the program where they differ."""
    recipe = Recipe(precision=precision)
    plain = [losses_of([seed], data, recipe, until=epochs, capture=False)[0] for seed in (0, 1, 2)]
    again = losses_of([0], data, recipe, until=epochs, capture=False)[0]
    alone = losses_of([0], data, recipe, until=epochs, capture=True)[0]
    beside = losses_of([0, 1, 2], data, recipe, until=epochs, capture=True)

    def furthest(found: Sequence[float], expected: Sequence[float]) -> float:
        return max(abs(one - other) / other for one, other in zip(found, expected, strict=True))

    gaps = {
        "plain, once more": furthest(again, plain[0]),
        "replayed, alone": furthest(alone, plain[0]),
        "replayed, three side by side": max(map(furthest, beside, plain)),
    }
    print(f"{precision}: losses of {epochs} epochs of {len(data[0]):,} images, beside plain steps: ", end="")
    print(", ".join(f"{name} {gap:.1e} apart" for name, gap in gaps.items()), flush=True)
    # Where plain steps differ from run to run, replayed ones may.
    limit = max(TOLERANCE[precision], 3 * gaps.pop("plain, once more"))
    if max(gaps.values()) > limit:
        sys.exit(f"more than {limit:.1e}: replayed steps are not the plain ones; nothing was timed")


def measure(precision: str, form: str, at_once: int, *, data: tuple[Tensor, Tensor], epochs: int) -> str:
    """A row of the table."""
    recipe = Recipe(precision=precision)
    networks = [network_of(seed, data[0].device) for seed in range(at_once)]
    on_gpu = data[0].is_cuda
    if on_gpu:
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    watch = Watch(epochs)
    trainings = [Training(network) for network in networks]
    trainings[-1].on_epoch = watch.on_epoch
    train_together(trainings, data[0], labels=data[1], recipe=recipe, seed=0, until=epochs, capture=FORMS[form])
    if failures := {one.failure for one in trainings if one.failure is not None}:
        return f"| {precision} | {form} | {at_once} | {', '.join(failures)} | | | | |"
    first, *others = watch.seconds()
    total = first + (recipe.epochs - 1) * statistics.median(others)
    memory = f"{torch.cuda.max_memory_reserved() / 2**30:.1f}" if on_gpu else "-"
    busy = device_share(precision, form, at_once, data) if on_gpu else None
    share = "-" if busy is None else f"{busy:.0%}"
    a_genome = total / at_once
    cells = (f"{a_genome:.2f}", f"{800 * a_genome / 3600:.2f}", f"{first:.2f}", memory, share)
    return f"| {precision} | {form} | {at_once} | " + " | ".join(cells) + " |"


def device_share(precision: str, form: str, at_once: int, data: tuple[Tensor, Tensor]) -> float | None:
    """The share of an epoch of 40 batches in which the device is at work, once everything is captured."""
    few = 40 * 128
    activities = [torch.profiler.ProfilerActivity.CUDA]
    watch = Watch(3, torch.profiler.profile(activities=activities))
    trainings = [Training(network_of(seed, data[0].device)) for seed in range(at_once)]
    trainings[-1].on_epoch = watch.on_epoch
    recipe = Recipe(precision=precision)
    train_together(trainings, data[0][:few], labels=data[1][:few], recipe=recipe, seed=0, until=3, capture=FORMS[form])
    return watch.busy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--precisions", nargs="+", default=["fp32", "bf16"], choices=["fp32", "bf16"])
    parser.add_argument("--images", type=int, default=45000)
    parser.add_argument(
        "--epochs", type=int, default=5, help="that are measured; in the fourth the last graph is captured"
    )
    parser.add_argument("--minutes", type=float, default=8.0, help="after which no row is begun")
    options = parser.parse_args()
    began = time.perf_counter()
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit("gpu_evaluation.py: torch sees no GPU here; nothing was measured (--device cpu rehearses the loops)")
    device = start_torch(options.device)
    name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU, a rehearsal"
    print(f"{name}, torch {torch.__version__}, CUDA {torch.version.cuda}\n", flush=True)
    # Twenty batches and a smaller one, where there are as many.
    few = data_of(min(20 * 128 + 50, options.images), device)
    for precision in options.precisions:
        check(precision, few, options.epochs)
    print("\n| precision | steps | at once | s a genome | h for 800 | s, first epoch | GiB at most | device at work |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    data = data_of(options.images, device)
    for form in FORMS:
        for precision in options.precisions:
            for at_once in options.at_once:
                if time.perf_counter() - began > 60 * options.minutes:
                    print(f"\n{options.minutes:g} minutes are over: no {precision}, {form}, {at_once} and what follows")
                    return
                print(measure(precision, form, at_once, data=data, epochs=options.epochs), flush=True)


if __name__ == "__main__":
    main()
