"""How many images per second a genome's network trains on: the peers' way and ours, step by step, in one run.

Each row of the table is a process of its own that does one thing more than the row above; the processes take turns on
a few batches, so that a slow minute of the machine falls on all of them. Times are of the process on a CPU (one
thread), of the clock on a GPU. The first row is a plain loop as in NSGA-Net's code: PIL transforms, DataLoader,
contiguous float32 images, concatenating joins, torch.optim.SGD, clip_grad_norm_. The last is `train_together`.

    python benchmarks/training_throughput.py
    python benchmarks/training_throughput.py --data cifar10.npz    # accuracies of both ways as well
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from torchvision import transforms
from training_arms import ARMS, GENOMES, MEAN, STD, STEPS, add_options, network_of, recipe_of, train_arm

from roco.gpus import has_bfloat16_instructions
from roco.runtime import resolve_device, start_torch, versions
from roco.training.prediction import error_of


class Child:
    """One arm's process."""

    def __init__(self, arm: str, options: argparse.Namespace) -> None:
        command = [
            sys.executable,
            str(Path(__file__).with_name("training_arms.py")),
            "--arm",
            arm,
            "--device",
            options.device,
        ]
        for name in ("batches", "channels", "loader_workers"):
            command += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.costs = self.read()

    def read(self) -> dict[str, float]:
        return json.loads(self.process.stdout.readline())  # type: ignore[union-attr,no-any-return]

    def ask(self, line: str) -> float | dict[str, float]:
        self.process.stdin.write(f"{line}\n")  # type: ignore[union-attr]
        self.process.stdin.flush()  # type: ignore[union-attr]
        return self.read()


def speeds(options: argparse.Namespace) -> None:
    children = {arm: Child(arm, options) for arm in options.arms}
    last = children[options.arms[-1]]
    found: dict[tuple[str, str], list[float]] = {}
    tops: dict[str, float] = {}
    for number in range(options.rounds + 1):
        for name in GENOMES:
            for arm, process in children.items():
                speed = process.ask(f"speed {name}")
                if number:  # The first round warms up.
                    found.setdefault((arm, name), []).append(float(speed))
        for name, top in last.ask("ceilings").items():  # type: ignore[union-attr]
            tops[name] = max(top, tops.get(name, 0.0))
    medians = {key: statistics.median(values) for key, values in found.items()}
    print("\n| images/s (times the first row) | " + " | ".join(GENOMES) + " |\n|---|" + "---|" * len(GENOMES))
    for arm in children:
        cells = [f"{medians[arm, n]:.0f} ({medians[arm, n] / medians[options.arms[0], n]:.2f})" for n in GENOMES]
        print(f"| {ARMS[arm]} | " + " | ".join(cells) + " |")
    print("\nceilings in GFLOP/s: " + ", ".join(f"{name} {top:.0f}" for name, top in tops.items()))
    precision = "bf16" if options.arms[-1] == "bf16" else "fp32"
    ceiling = max(top for name, top in tops.items() if name.startswith(precision))
    for name in GENOMES:
        rate = 6 * last.costs[name] * medians[options.arms[-1], name] / 1e9
        print(
            f"{name}: {last.costs[name] / 1e6:.1f}M multiply-adds, trains at {rate:.0f} GFLOP/s, "
            f"{rate / ceiling:.0%} of the {precision} ceiling; time by operation: "
            + ", ".join(f"{kind} {share:.0%}" for kind, share in last.ask(f"shares {name}").items())  # type: ignore[union-attr]
        )
    for process in children.values():
        process.process.communicate()


def accuracies(options: argparse.Namespace) -> None:
    """Both ways on the same images with the same seeds: mean and standard deviation of the test accuracy."""
    device = start_torch(options.device)
    options.device = device
    with np.load(options.data) as file:
        arrays = {name: torch.from_numpy(file[name]).to(device) for name in file.files}
    images, test_images = (arrays[name].permute(0, 3, 1, 2).contiguous() for name in ("x_train", "x_test"))
    images, labels = images[: options.images], arrays["y_train"][: options.images].flatten().long()
    test_images, test_labels = test_images[:2000], arrays["y_test"][:2000].flatten().long()
    for arm in options.arms:
        found = []
        for seed in range(options.seeds):
            network = network_of(GENOMES["mid"], options, arm, seed)
            train_arm(
                arm, network, images, labels, recipe_of(arm, options.epochs), workers=options.loader_workers, seed=seed
            )
            if arm == "peers":
                network.normalise = transforms.Normalize(MEAN, STD)
            found.append(100 * (1 - error_of(network, test_images, labels=test_labels)))
        print(
            f"{arm}: {statistics.mean(found):.2f} +- {statistics.stdev(found):.2f} % of {[round(x, 2) for x in found]}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--arms", nargs="+", choices=STEPS, help="all; with --data the first and the last two")
    parser.add_argument(
        "--data", type=Path, help="CIFAR-10 as .npz (x_train, y_train, x_test, y_test): accuracies instead"
    )
    parser.add_argument("--images", type=int, default=5000, help="to train on, with --data")
    parser.add_argument("--epochs", type=int, default=15, help="with --data")
    parser.add_argument("--seeds", type=int, default=3, help="with --data")
    options = parser.parse_args()
    if options.arms is None:
        options.arms = [STEPS[0], *STEPS[-2:]] if options.data else list(STEPS)
        if resolve_device(options.device) == "cpu" and not has_bfloat16_instructions():
            options.arms.remove("bf16")
    capability = torch.backends.cpu.get_cpu_capability()
    print(f"{platform.processor() or platform.machine()}, {capability}, torch {versions()['torch']}")
    accuracies(options) if options.data else speeds(options)


if __name__ == "__main__":
    main()
