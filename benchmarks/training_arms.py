"""The arms of training_throughput.py, each a process of its own; not to be called by hand."""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchvision import transforms

from roco.errors import TrainingFailed
from roco.networks.compiled.library import OFF
from roco.networks.decoder import GenomeNetwork, Join
from roco.runtime import resolve_device, seed_from, start_torch
from roco.settings import Recipe
from roco.space.genome import Genome
from roco.training.batches import EpochPlan, augment, mean_colour, to_unit
from roco.training.loop import Training, train_together

MEAN, STD = [0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]
GENOMES = {
    "mid": "0010110100101000-1000101100001101-0001010111101111",
    "dense": "1111111111111111-1111111111111111-1111111111111111",
}
ARMS = {
    "peers": "peers: PIL, DataLoader, contiguous, concat, torch.optim.SGD",
    "batched": "+ uint8 on the device, batched crop and flip",
    "channels_last": "+ channels last",
    "split": "+ joins without concatenation",
    "loop": "+ roco.training.loop: functional SGD, no .item() in the loop",
    "memory": "+ freed memory is kept",
    "fused": "+ batch normalisation with ReLU, and pooling, in C: all of roco in fp32",
    "bf16": "the same in bf16: all of roco in bf16",
}
STEPS = list(ARMS)


class ConcatJoin(Join):
    """The join as the peers compute it: concatenate, then one convolution."""

    def forward(self, inputs: list[Tensor]) -> Tensor:
        return inputs[0] if self.reduce is None else self.reduce(torch.cat(inputs, dim=1))


def network_of(genome: str, options: argparse.Namespace, arm: str, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    network: nn.Module = GenomeNetwork(
        Genome.parse(genome).phenotype, channels=options.channels, classes=10, stem_padding=0, mean=MEAN, std=STD
    )
    if STEPS.index(arm) < STEPS.index("split"):
        for module in network.modules():
            if isinstance(module, Join):
                module.__class__ = ConcatJoin
    if arm == "peers":
        network.normalise = nn.Identity()
    if STEPS.index(arm) >= STEPS.index("channels_last"):
        network = network.to(memory_format=torch.channels_last)
    return network.to(options.device)


# ---------------------------------------------------------------------------------------------------------------
# Training


def peers_batches(images: Tensor, labels: Tensor, recipe: Recipe, workers: int) -> Iterator[tuple[Tensor, Tensor]]:
    transform = transforms.Compose(
        [
            transforms.ToPILImage(),
            transforms.RandomCrop(images.shape[-1], padding=recipe.crop_padding),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
        ]
    )
    pairs = [(image, int(label)) for image, label in zip(images.cpu(), labels.cpu(), strict=True)]

    def collate(batch: list[tuple[Tensor, int]]) -> tuple[Tensor, Tensor]:
        return torch.stack([transform(image) for image, _ in batch]), torch.tensor([label for _, label in batch])

    loader = DataLoader(
        pairs,
        batch_size=recipe.batch_size,
        shuffle=True,
        num_workers=workers,
        pin_memory=images.is_cuda,
        collate_fn=collate,
    )
    for batch, batch_labels in loader:
        yield batch.to(images.device, non_blocking=True), batch_labels.to(images.device, non_blocking=True)


def our_batches(images: Tensor, labels: Tensor, recipe: Recipe) -> Iterator[tuple[Tensor, Tensor]]:
    height, width = images.shape[2:]
    generator = torch.Generator().manual_seed(seed_from(time.perf_counter_ns()))
    plan = EpochPlan.draw(len(images), recipe, size=(height, width), generator=generator)
    blank = mean_colour(images) if recipe.cutout else None
    for start in range(0, len(images), recipe.batch_size):
        part = plan.part(start, start + recipe.batch_size)
        yield (
            to_unit(augment(images, recipe, part, blank=blank).permute(0, 3, 1, 2)),
            labels[part.order.to(labels.device)],
        )


def plain_loop(network: nn.Module, images: Tensor, labels: Tensor, recipe: Recipe, *, arm: str, workers: int) -> None:
    """Trains for the epochs of the recipe as NSGA-Net does."""
    optimizer = torch.optim.SGD(
        network.parameters(), lr=recipe.learning_rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.epochs)
    network.train()
    for _ in range(recipe.epochs):
        loss_sum, correct = 0.0, 0
        batches = peers_batches(images, labels, recipe, workers) if arm == "peers" else None
        for batch, batch_labels in batches or our_batches(images, labels, recipe):
            optimizer.zero_grad()
            if arm == "batched":
                batch = batch.contiguous()
            logits = network(batch)
            loss = F.cross_entropy(logits, batch_labels)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), recipe.gradient_clip or float("inf"))
            optimizer.step()
            loss_sum += loss.item()
            correct += logits.argmax(1).eq(batch_labels).sum().item()
        schedule.step()
    network.eval()


def recipe_of(arm: str, epochs: int) -> Recipe:
    """The paper's search recipe for so many epochs, in the arm's precision."""
    return Recipe(epochs=epochs, precision="bf16" if arm == "bf16" else "fp32")


def train_arm(
    arm: str, network: nn.Module, images: Tensor, labels: Tensor, recipe: Recipe, *, workers: int, seed: int
) -> None:
    if STEPS.index(arm) >= STEPS.index("loop"):
        training = Training(network, seed)
        train_together([training], images, labels=labels, recipe=recipe)
        if training.failure is not None:
            raise TrainingFailed(training.failure)
    else:
        plain_loop(network, images, labels, recipe, arm=arm, workers=workers)


# ---------------------------------------------------------------------------------------------------------------
# What a child process does at "go": one measurement, one line of JSON


def timed(work: Callable[[], object], device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
        began = time.perf_counter()
        work()
        torch.cuda.synchronize()
        return time.perf_counter() - began
    began = time.process_time()
    work()
    return time.process_time() - began


def multiply_adds(network: nn.Module, image: Tensor) -> int:
    """Of all convolutions and the linear layer, for one image."""
    total = 0

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        total += layer.weight.numel() * (output[0].numel() // output.shape[1])

    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    with torch.no_grad():
        network.eval()(image)
    for hook in hooks:
        hook.remove()
    return total


def ceilings(device: torch.device) -> dict[str, float]:
    """GFLOP/s of a large matrix product, and of 3x3 convolutions of a network's first and last phase, by precision."""
    found = {}
    for precision, kind in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        matrix = torch.rand(1024, 1024, device=device).to(kind)
        works: dict[str, tuple[Callable[[], object], int]] = {"matrix product": (lambda m=matrix: m @ m, 2 * 1024**3)}
        for channels, side in ((16, 30), (64, 7)):
            maps = torch.rand(128, channels, side, side, device=device).to(kind, memory_format=torch.channels_last)
            kernel = torch.rand(channels, channels, 3, 3, device=device).to(kind, memory_format=torch.channels_last)
            works[f"3x3 convolution of {channels} channels"] = (
                lambda m=maps, k=kernel: F.conv2d(m, k, padding=1),
                2 * 128 * side**2 * channels**2 * 9,
            )
        for name, (work, operations) in works.items():
            seconds = min(timed(work, device) for _ in range(20))
            found[f"{precision} {name}"] = operations / seconds / 1e9
    return found


def shares(work: Callable[[], object]) -> dict[str, float]:
    """Shares of the CPU time of a training by kind of operation."""
    kinds = {"_batchnormrelu": "batch normalisation with ReLU", "_maxpool": "pooling", "convolution": "convolutions"}
    kinds |= {"batch_norm": "batch normalisation", "threshold": "ReLU", "clamp": "ReLU", "cat": "joins"}
    kinds |= {"add": "additions", "pool": "pooling", "sgd": "SGD", "copy": "casts"}
    # The first one's own memory lies between the training's, which then is not what is used again.
    for _ in range(2):
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
            work()
    seconds: dict[str, float] = {}
    for event in profile.key_averages():
        name = event.key.lower()
        ours = name.startswith(("aten::", "_batchnormrelu", "_maxpool"))
        kind = next((kind for part, kind in kinds.items() if ours and part in name), "the rest")
        seconds[kind] = seconds.get(kind, 0.0) + event.self_cpu_time_total
    return {kind: spent / sum(seconds.values()) for kind, spent in sorted(seconds.items(), key=lambda item: -item[1])}


def child(options: argparse.Namespace) -> None:
    """Builds one arm on random images, then measures for each line that comes in."""
    if STEPS.index(options.arm) < STEPS.index("fused"):
        os.environ[OFF] = "1"
    if STEPS.index(options.arm) >= STEPS.index("memory"):
        device = start_torch(options.device)
    else:
        torch.set_num_threads(1)
        device = torch.device(resolve_device(options.device))
    options.device = device
    generator = torch.Generator().manual_seed(0)
    count = options.batches * 128
    images = torch.randint(0, 256, (count, 3, 32, 32), generator=generator, dtype=torch.uint8).to(device)
    labels = torch.randint(0, 10, (count,), generator=generator).to(device)
    networks = {name: network_of(genome, options, options.arm) for name, genome in GENOMES.items()}
    costs = {name: multiply_adds(network, to_unit(images[:1])) for name, network in networks.items()}

    def work(name: str) -> None:
        recipe = recipe_of(options.arm, epochs=1)
        train_arm(options.arm, networks[name], images, labels, recipe, workers=options.loader_workers, seed=0)

    print(json.dumps(costs), flush=True)
    for line in sys.stdin:
        question, _, name = line.strip().partition(" ")
        answers = {
            "speed": lambda name=name: count / timed(partial(work, name), device),
            "shares": lambda name=name: shares(partial(work, name)),
            "ceilings": partial(ceilings, device),
        }
        print(json.dumps(answers[question]()), flush=True)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that parent and children share."""
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--batches", type=int, default=8, help="of 128 images, in one measurement")
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--loader-workers", type=int, default=0, help="processes of the peers' DataLoader")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser)
    parser.add_argument("--arm", choices=STEPS, required=True)
    child(parser.parse_args())
