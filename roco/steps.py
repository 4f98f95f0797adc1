"""One network's training step, the same whether it is run by hand or replayed from a CUDA graph.

All that a step reads and changes lies in tensors that keep their place: the supply's images, weights, momentum, the
batch's number, the learning rates, the sum of the losses. So a GPU can be told to repeat it without a word from the
host. Loops over epochs are in training.py.
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

from roco.batches import Supply, to_unit
from roco.config import Recipe
from roco.runtime import resolve_precision

# Batches of a size that are computed by hand before they are captured: torch wants what it sets up to be set up.
WARM_UP = 3
# Of plain RuntimeErrors: the CPU's allocator, CUDA where a graph is made, cuBLAS and cuDNN.
NO_MEMORY = ("can't allocate memory", "CUDA error: out of memory", "_STATUS_ALLOC_FAILED")


class Trainee:
    """A network in training: its optimiser's state, its place in the supply, and on a GPU its stream and graphs.

    The optimiser is stochastic gradient descent with momentum and weight decay by torch's own fused function. Not
    torch.optim.SGD, which calls the same function: its first step imports torch's compiler, which costs a process of a
    minute several seconds. Momentum begins as zeros, which gives the same first step as none.

    Args:
        network: on the device of the supply.
        recipe: how it is trained.
        supply: what it reads.
        pieces: into how many parts a batch is cut, their gradients added up, to need less memory.
        capture: whether a GPU replays steps from a graph.
    """

    def __init__(self, network: nn.Module, recipe: Recipe, supply: Supply, *, pieces: int, capture: bool) -> None:
        device = supply.images.device
        self.network, self.recipe, self.supply, self.pieces = network, recipe, supply, pieces
        self.parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self.momenta = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.kind: Literal["cuda", "cpu"] = "cuda" if device.type == "cuda" else "cpu"
        self.in_bf16 = resolve_precision(recipe.precision, self.kind) == "bf16"
        self.offsets = torch.arange(recipe.batch_size, device=device)
        # The batch within the window, and the learning rate of each batch of the window.
        self.number = torch.zeros(1, dtype=torch.int64, device=device)
        self.rates = torch.zeros(supply.window, device=device)
        self.loss_sum = torch.zeros((), device=device)
        self.stream = torch.cuda.Stream() if self.kind == "cuda" else None
        self.capture = capture and self.kind == "cuda"
        self.graphs: dict[int, torch.cuda.CUDAGraph] = {}
        self.seen: Counter[int] = Counter()

    def begin_epoch(self) -> None:
        """Forgets the losses of the epoch before."""
        self.wait_for_others()
        with self.on_stream():
            self.loss_sum.zero_()

    def begin_window(self, rates: Sequence[float]) -> None:
        """Goes to the first batch of a window; `rates` are the learning rates of its batches."""
        self.wait_for_others()
        with self.on_stream():
            self.number.zero_()
            self.rates[: len(rates)].copy_(torch.tensor(rates))

    def step(self, size: int) -> None:
        """One step of training on the next batch of the window, which has `size` images."""
        with self.on_stream():
            if size in self.graphs:
                self.graphs[size].replay()
            elif self.capture and self.seen[size] >= WARM_UP:
                self._capture(size)
                self.graphs[size].replay()
            else:
                self.seen[size] += 1
                self._step(size)

    def release(self) -> None:
        """Gives back gradients and graphs now, as no graph may be destroyed later, while another one is captured."""
        self._forget_gradients()
        self.graphs.clear()

    def wait_for_others(self) -> None:
        """Lets what this network does next come after all that was told to the current stream; the host goes on."""
        if self.stream is not None:
            self.stream.wait_stream(torch.cuda.current_stream())

    def let_others_wait(self) -> None:
        """Lets what is told to the current stream next come after all that this network was told."""
        if self.stream is not None:
            torch.cuda.current_stream().wait_stream(self.stream)

    def on_stream(self) -> contextlib.AbstractContextManager[object]:
        """What is done within goes to this network's stream, where there are streams."""
        return contextlib.nullcontext() if self.stream is None else torch.cuda.stream(self.stream)

    def _step(self, size: int) -> None:
        places = self.number * self.recipe.batch_size + self.offsets[:size]
        images = self.supply.images.index_select(0, places).permute(0, 3, 1, 2)
        labels = self.supply.labels.index_select(0, places)
        self._forget_gradients()
        pieces = self.pieces if size >= 2 * self.pieces else 1
        for part, part_labels in zip(images.chunk(pieces), labels.chunk(pieces), strict=True):
            # Without autocast's cache: what is kept there while a graph is captured would be lost to later ones.
            with torch.autocast(self.kind, torch.bfloat16, enabled=self.in_bf16, cache_enabled=False):
                logits = self.network(to_unit(part)).float()
            loss = F.cross_entropy(logits, part_labels, reduction="sum")
            (loss / size).backward()
            self.loss_sum += loss.detach()
        if self.recipe.gradient_clip is not None:
            nn.utils.clip_grad_norm_(self.parameters, self.recipe.gradient_clip)
        self._move(self.rates.index_select(0, self.number))
        self.number += 1

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
        """Records the step for batches of this size; nothing is computed, so nothing of the training changes."""
        self._forget_gradients()
        # The graphs of one network never run at once, and nothing in their memory outlives a step: they may share it.
        pool = next((graph.pool() for graph in self.graphs.values()), None)
        graph = torch.cuda.CUDAGraph()
        with _no_garbage_collection(), torch.cuda.graph(graph, pool=pool, stream=self.stream):
            self._step(size)
        self.graphs[size] = graph


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Keeps Python from destroying an old graph, which is forbidden while one is captured."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether memory ran out, also where what came of it hides that: the end of a broken capture raises anew."""
    while error is not None:
        if isinstance(error, torch.OutOfMemoryError | MemoryError) or any(text in str(error) for text in NO_MEMORY):
            return True
        error = error.__context__
    return False
