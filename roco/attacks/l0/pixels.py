"""Pixel changes as data: positions and colours of k pixels, what they make of images, and the margins of the result."""

from dataclasses import dataclass, fields
from typing import Self

from roco.attacks.l0.counter import below, bits
from roco.attacks.norms import margins
from roco.attacks.types import Network, Tensor, TorchDevice


@dataclass(frozen=True)
class Problem:
    """A network to fool on some images by changing a few pixels of each.

    Attributes:
        network: float32 images in [0, 1] to logits, in evaluation mode.
        images: uint8 `(n, 3, h, w)`, correctly classified, on the network's device.
        labels: int64 `(n,)`.
        n_pixels: k, how many pixels may change.
        keys: int64 `(n,)`: where the random numbers of each image begin.
        start: uint8 `(n, 3, h, w)` with at most k changed pixels each, if known; the result is never worse.
        batch_size: how many images pass the network at once.
    """

    network: Network
    images: Tensor
    labels: Tensor
    n_pixels: int
    keys: Tensor
    start: Tensor | None
    batch_size: int

    @property
    def positions(self) -> int:
        """How many pixels an image has."""
        return self.images.shape[2] * self.images.shape[3]

    def only(self, rows: Tensor) -> "Problem":
        """The same for some of the images, by their indices; without `start`."""
        return Problem(
            *(self.network, self.images[rows], self.labels[rows], self.n_pixels),
            *(self.keys[rows], None, self.batch_size),
        )

    def margins(self, images: Tensor, labels: Tensor) -> Tensor:
        """The margins float32 `(m,)` of float32 images `(m, 3, h, w)`, in [0, 1]."""
        import torch

        # Not `logits_of`, which walks through all modules: here a network is called thousands of times.
        with torch.no_grad():
            pairs = zip(images.split(self.batch_size), labels.split(self.batch_size), strict=True)
            parts = [margins(self.network(part), part_labels) for part, part_labels in pairs]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def margins_with(self, positions: Tensor, colours: Tensor) -> Tensor:
        """The margins float32 `(n, c)` of each image with each of its c candidates, batch by batch.

        Args:
            positions: row-major indices of pixels, int64 `(n, c, k)`; of equal indices in a candidate the last counts.
            colours: uint8 `(n, c, k, 3)`.
        """
        import torch

        from roco.training.batches import to_unit

        count, candidates = positions.shape[:2]
        flat, flat_colours = positions.flatten(0, 1), colours.flatten(0, 1)
        parts = []
        for begin in range(0, len(flat), self.batch_size):
            part = slice(begin, begin + self.batch_size)
            rows = torch.arange(begin, begin + len(flat[part]), device=flat.device) // candidates
            images = changed(self.images[rows], flat[part], colours=flat_colours[part])
            parts.append(self.margins(to_unit(images), self.labels[rows]))
        return torch.cat(parts).view(count, candidates)


@dataclass
class OpenImages:
    """The images that are still attacked; all attributes are tensors with a row for each of them.

    Attributes:
        rows: their indices in the problem, int64 `(m,)`.
        labels: int64 `(m,)`.
        clean: float32 in [0, 1], `(m, 3, h, w)` or `(m, 3, h w)`.
        best: the best images so far, of the same shape, on the uint8 grid.
        margins: of the best images, float32 `(m,)`.
    """

    rows: Tensor
    labels: Tensor
    clean: Tensor
    best: Tensor
    margins: Tensor

    def keep(self, images: Tensor, margins: Tensor, *, until: float, equal: bool) -> Tensor:
        """Keeps images that have larger margins than `best`; returns which were kept, bool `(m,)`.

        Args:
            images: of the shape of `best`.
            margins: of these images, `(m,)`.
            until: at this margin an image is done and stays as it is, whenever the host looks.
            equal: whether an equal margin is enough.
        """
        import torch

        better = ((margins >= self.margins) if equal else (margins > self.margins)) & (self.margins < until)
        self.margins = torch.where(better, margins, self.margins)
        self.best = torch.where(better.view(-1, *[1] * (images.dim() - 1)), images, self.best)
        return better

    def still_open(self, results: Tensor, until: float) -> Self:
        """The images whose margin is below `until`; `best` of the others goes to `results`, uint8 `(n, 3, h, w)`.

        Here the host waits for the device.
        """
        import torch

        is_open = self.margins < until
        rows = is_open.nonzero()[:, 0]
        if len(rows) == len(self.rows):
            return self
        done = (~is_open).nonzero()[:, 0]
        results[self.rows[done]] = (self.best[done] * 255).round().to(torch.uint8).view(-1, *results.shape[1:])
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))


def changed(images: Tensor, positions: Tensor, *, colours: Tensor) -> Tensor:
    """Images `(n, 3, h, w)` with k pixels set.

    Args:
        images: of any type.
        positions: row-major indices of pixels, int64 `(n, k)`; of equal indices in a row the last counts.
        colours: `(n, k, 3)`, of the images' type.
    """
    flat = images.flatten(2)
    # Pixel after pixel: in a single assignment with equal positions it is undefined which colour wins.
    for slot in range(positions.shape[1]):
        flat = painted(flat, positions[:, slot], colours[:, slot])
    return flat.view(images.shape)


def painted(images: Tensor, positions: Tensor, colours: Tensor) -> Tensor:
    """Images `(n, 3, h w)` with one pixel each, at `positions` `(n,)`, set to the colours `(n, 3)`.

    By comparison: for an assignment, torch's deterministic mode sorts the indices on a GPU, in a dozen kernels.
    """
    import torch

    pixel = torch.arange(images.shape[2], device=images.device)
    return torch.where((pixel == positions[:, None])[:, None], colours[:, :, None], images)


def corners(device: TorchDevice) -> Tensor:
    """The colours at the corners of the cube of colours, uint8 `(8, 3)`; bit c of a corner's number is channel c."""
    import torch

    number = torch.arange(8, device=device)[:, None]
    return ((number >> torch.arange(3, device=device)) & 1).to(torch.uint8) * 255


def differing(clean: Tensor, images: Tensor) -> Tensor:
    """Which pixels differ, bool `(n, h w)`."""
    return (clean != images).any(dim=1).flatten(1)


def first_positions(problem: Problem, k: int) -> Tensor:
    """Different positions to begin with, int64 `(n, k)`: the pixels that `start` has changed, then random others."""
    import torch

    pixel = torch.arange(problem.positions, device=problem.images.device)
    # Random numbers that are never equal: devices sort equal numbers in different orders.
    order = below(bits(problem.keys, range(1), draws=problem.positions)[0], 2**31) * problem.positions + pixel
    if problem.start is not None:
        order = torch.where(differing(problem.images, problem.start), pixel - problem.positions, order)
    return order.topk(k, dim=1, largest=False).indices
