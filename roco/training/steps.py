"""One training step of a network or of a stack, executed directly or replayed from a CUDA graph.

Everything that a step reads and changes lies in tensors whose memory stays the same: images, weights, momentum, the
number of the batch, learning rates, sums of losses. So a GPU can replay a step without any data from the host. Loops
over epochs are in loop.py.
"""

import contextlib
import gc
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.sgd import sgd

from roco.gpus import resolve_precision
from roco.settings import Recipe
from roco.training.adversarial import AdversarialRecipe
from roco.training.batches import Supply, to_unit
from roco.training.stacks.stack import Stack

# How many steps are executed directly before a step is captured: by then torch has allocated what it keeps.
WARM_UP = 3
# Texts of RuntimeErrors that mean: out of memory. From the CPU's allocator, CUDA in a capture, Triton when it loads a
# kernel, cuBLAS and cuDNN.
NO_MEMORY = ("can't allocate memory", "CUDA error: out of memory", "[CUDA]: out of memory", "_STATUS_ALLOC_FAILED")
# The text of an error with two possible causes: no algorithm of cuDNN got its workspace, or none supports the request.
NO_WORKSPACE = "unable to find an engine to execute this computation"


class Trainee:
    """A network or a stack in training: the state of its optimiser, the batch that comes next, and its CUDA graphs.

    The optimiser is stochastic gradient descent with momentum and weight decay by torch's own fused function.
    torch.optim.SGD calls the same function, but its first step imports torch's compiler, which takes several seconds,
    and a process may train for a minute only. Momentum starts as zeros, which gives the same first step as no momentum.

    Args:
        module: a network, or a Stack; on the device of the supplies.
        recipe: how it is trained.
        supplies: one supply for all networks, or one for each network of a stack; networks may share a supply.
        pieces: the number of parts into which a batch is cut to need less memory; their gradients are added up.
        capture: whether a GPU replays steps from a graph.

    Attributes:
        loss_sums: of the epoch so far, float32 `(networks,)`.
    """

    def __init__(
        self, module: nn.Module, recipe: Recipe, supplies: Sequence[Supply], *, pieces: int, capture: bool
    ) -> None:
        self.module, self.recipe, self.pieces = module, recipe, pieces
        self.supplies = list(dict.fromkeys(supplies))
        device = self.supplies[0].images.device
        self.parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
        self.momenta = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.kind: Literal["cuda", "cpu"] = "cuda" if device.type == "cuda" else "cpu"
        self.in_bf16 = resolve_precision(recipe.precision, self.kind) == "bf16"
        self.offsets = torch.arange(recipe.batch_size, device=device)
        # Which supply each network reads.
        self.reads = torch.tensor([self.supplies.index(supply) for supply in supplies], device=device)
        # The batch within the window, and the learning rate of each batch of the window.
        self.number = torch.zeros(1, dtype=torch.int64, device=device)
        self.rates = torch.zeros(self.supplies[0].window, device=device)
        self.loss_sums = torch.zeros(len(module) if isinstance(module, Stack) else 1, device=device)
        self.capture = capture and self.kind == "cuda"
        self.graphs: dict[int, torch.cuda.CUDAGraph] = {}
        self.seen: Counter[int] = Counter()
        self.adversarial = recipe.adversarial if isinstance(recipe, AdversarialRecipe) else None
        # Running statistics and their counters.
        kept = module.state_dict(keep_vars=True).values()
        self.statistics = [tensor for tensor in kept if not isinstance(tensor, nn.Parameter)]

    def begin_window(self, rates: Sequence[float]) -> None:
        """Starts with the first batch of a window; `rates` are the learning rates of its batches."""
        self.number.zero_()
        self.rates[: len(rates)].copy_(torch.tensor(rates))

    def step(self, size: int) -> None:
        """Trains one step on the next batch of the window, which has `size` images."""
        if self.adversarial is not None:
            # Not within a graph, so that it needs no generator.
            for supply in self.supplies:
                self.adversarial.draw(supply.noise[:size], supply.generator)
        if size in self.graphs:
            self.graphs[size].replay()
        elif self.capture and self.seen[size] >= WARM_UP:
            self._capture(size)
            self.graphs[size].replay()
        else:
            self.seen[size] += 1
            self._step(size)

    def release(self) -> None:
        """Frees gradients and graphs now, because no graph may be destroyed while another is captured."""
        self._forget_gradients()
        self.graphs.clear()

    def _step(self, size: int) -> None:
        images, labels = self._batch(size)
        self._forget_gradients()
        pieces = self.pieces if size >= 2 * self.pieces else 1
        noises: Sequence[Tensor | None] = [None] * pieces
        if self.adversarial is not None:
            noises = self._side_by_side([supply.noise[:size] for supply in self.supplies]).chunk(pieces)
        for part, part_labels, noise in zip(images.chunk(pieces), labels.chunk(pieces), noises, strict=True):
            losses = self._losses(to_unit(part), part_labels, noise)
            (losses.sum() / size).backward()
            self.loss_sums += losses.detach()
        if self.recipe.gradient_clip is not None:
            self._clip(self.recipe.gradient_clip)
        self._move(self.rates.index_select(0, self.number))
        self.number += 1

    def _batch(self, size: int) -> tuple[Tensor, Tensor]:
        """Images uint8 `(n, c, h, w)` and labels `(n,)`; with several supplies `(n, K * c, h, w)` and `(n, K)`."""
        rows = self.number * self.recipe.batch_size + self.offsets[:size]
        images = self._side_by_side([supply.images.index_select(0, rows) for supply in self.supplies])
        labels = [supply.labels.index_select(0, rows) for supply in self.supplies]
        if len(self.supplies) == 1:
            return images, labels[0]
        return images, torch.stack(labels, dim=1).index_select(1, self.reads)

    def _side_by_side(self, values: Sequence[Tensor]) -> Tensor:
        """Values of each supply `(n, h, w, c)` as `(n, c, h, w)`; of several supplies `(n, K * c, h, w)`."""
        if len(values) == 1:
            return values[0].permute(0, 3, 1, 2)
        return torch.stack(list(values), dim=3).index_select(3, self.reads).flatten(3).permute(0, 3, 1, 2)

    def _losses(self, images: Tensor, labels: Tensor, noise: Tensor | None) -> Tensor:
        """Each network's loss, summed over the images, which are float32 in [0, 1]."""
        if self.adversarial is None or noise is None:
            return self.cross_entropies(self.logits(images), labels)
        return self.adversarial.losses(self, images, labels, noise)

    def logits(self, images: Tensor) -> Tensor:
        """See `Learner`."""
        # Without autocast's cache: tensors cached while one graph is captured would be missing in later graphs.
        with torch.autocast(self.kind, torch.bfloat16, enabled=self.in_bf16, cache_enabled=False):
            logits: Tensor = self.module(images)
        return logits.to(torch.promote_types(logits.dtype, torch.float32))

    def own(self, images: Tensor) -> Tensor:
        """See `Learner`."""
        channels = self.supplies[0].images.shape[3]
        if not isinstance(self.module, Stack) or images.shape[1] > channels:
            return images
        return images.repeat(1, len(self.module), 1, 1).contiguous(memory_format=torch.channels_last)

    @contextlib.contextmanager
    def crafting(self) -> Iterator[None]:
        """See `Learner`."""
        before = [tensor.clone() for tensor in self.statistics]
        for parameter in self.parameters:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in self.parameters:
                parameter.requires_grad_()
            with torch.no_grad():
                for tensor, values in zip(self.statistics, before, strict=True):
                    tensor.copy_(values)

    def cross_entropies(self, logits: Tensor, labels: Tensor) -> Tensor:
        """See `Learner`."""
        if not isinstance(self.module, Stack):
            return F.cross_entropy(logits, labels, reduction="sum")[None]
        labels = labels if labels.dim() == 2 else labels[:, None].expand(-1, len(self.module))
        # One row for each image and network: with networks as a dimension, sums on a GPU would differ in each run.
        losses = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
        return losses.view(labels.shape).sum(0)

    def _clip(self, largest: float) -> None:
        """Shrinks each network's gradient to a norm of at most `largest`."""
        if not isinstance(self.module, Stack):
            nn.utils.clip_grad_norm_(self.parameters, largest)
            return
        gradient = self.module.weights.grad
        assert gradient is not None
        norms = torch.linalg.vector_norm(gradient, dim=1, keepdim=True)
        # As torch.nn.utils.clip_grad_norm_ has it.
        gradient.mul_((largest / (norms + 1e-6)).clamp(max=1.0))

    def _forget_gradients(self) -> None:
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def _move(self, rate: Tensor) -> None:
        sgd(
            self.parameters,  # type: ignore[arg-type]
            [parameter.grad for parameter in self.parameters],  # type: ignore[misc]
            list(self.momenta),
            fused=True,
            lr=rate,
            momentum=self.recipe.momentum,
            weight_decay=self.recipe.weight_decay,
            dampening=0.0,
            nesterov=False,
            maximize=False,
        )

    def _capture(self, size: int) -> None:
        """Records the step for batches of this size. Nothing is computed, so the training's state stays the same."""
        self._forget_gradients()
        # Graphs may share memory: they never run at the same time, and nothing in it is needed after a step.
        pool = next((graph.pool() for graph in self.graphs.values()), None)
        graph = torch.cuda.CUDAGraph()
        with _no_garbage_collection(), torch.cuda.graph(graph, pool=pool, stream=torch.cuda.current_stream()):
            self._step(size)
        self.graphs[size] = graph


@contextlib.contextmanager
def own_stream(device: torch.device) -> Iterator[None]:
    """On a GPU uses a separate stream, because the default stream cannot be captured; waits for it at the end."""
    if device.type != "cuda":
        yield
        return
    stream = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        try:
            yield
        finally:
            stream.synchronize()


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Keeps Python from destroying an old graph, which is forbidden during a capture."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def is_out_of_memory(error: BaseException | None, *, networks: int = 1) -> bool:
    """Whether memory ran out: by the error itself, or by an earlier error, as at the end of an interrupted capture.

    An error that may have another cause counts as out of memory only for several networks. These are then trained
    again in smaller stacks. If the cause is another, a single network will raise the error.
    """
    texts = NO_MEMORY if networks == 1 else (*NO_MEMORY, NO_WORKSPACE)
    while error is not None:
        if isinstance(error, torch.OutOfMemoryError | MemoryError) or any(text in str(error) for text in texts):
            return True
        error = error.__context__
    return False
