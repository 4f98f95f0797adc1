"""Pixel changes as data: positions and colours of k pixels, what they make of images, and the margins of the result."""

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from roco.attacks.norms import margins
from roco.attacks.types import Network, Tensor

Array = np.ndarray[Any, Any]
Generators = list[np.random.Generator]
# The colours at the corners of the cube of colours, uint8 (8, 3).
CORNERS = np.array(list(product((0, 255), repeat=3)), dtype=np.uint8)


@dataclass(frozen=True)
class Problem:
    """A network to fool on some images by changing a few pixels of each.

    Attributes:
        network: float32 images in [0, 1] to logits, in evaluation mode.
        images: uint8 `(n, 3, h, w)`, correctly classified, on the network's device.
        labels: int64 `(n,)`.
        n_pixels: k, how many pixels may change.
        generators: one for each image, so that its result does not depend on which others are attacked.
        start: uint8 `(n, 3, h, w)` with at most k changed pixels each, if there are such; the result is never worse.
        batch_size: how many images pass the network at once.
    """

    network: Network
    images: Tensor
    labels: Tensor
    n_pixels: int
    generators: Generators
    start: Tensor | None
    batch_size: int

    @property
    def positions(self) -> int:
        """How many pixels an image has."""
        return self.images.shape[2] * self.images.shape[3]

    def changed(self, rows: Array, positions: Array, *, colours: Array) -> Tensor:
        """The images `rows` with k pixels set, uint8 `(m, 3, h, w)`.

        Args:
            rows: indices of images, int64 `(m,)`; an image may come more than once.
            positions: row-major indices of pixels, int64 `(m, k)`; of equal ones in a row the last counts.
            colours: uint8 `(m, k, 3)`.
        """
        import torch

        device = self.images.device
        images = self.images[torch.from_numpy(rows).to(device)]
        flat = images.flatten(2)
        index = torch.arange(len(rows), device=device)
        where, what = torch.from_numpy(positions).to(device), torch.from_numpy(colours).to(device)
        # Pixel after pixel: one assignment with equal positions would leave open which of them wins.
        for slot in range(positions.shape[1]):
            flat[index, :, where[:, slot]] = what[:, slot]
        return flat.reshape(images.shape)

    def margins(self, rows: Array, positions: Array, *, colours: Array) -> Array:
        """The margins float64 `(m,)` of the images `rows` with k pixels set; see `changed`."""
        import torch

        from roco.training.batches import to_unit

        parts = []
        for begin in range(0, len(rows), self.batch_size):
            part = slice(begin, begin + self.batch_size)
            images = self.changed(rows[part], positions[part], colours=colours[part])
            labels = self.labels[torch.from_numpy(rows[part]).to(self.labels.device)]
            # Not `logits_of`, which walks through all modules: here a network is called thousands of times.
            with torch.no_grad():
                parts.append(margins(self.network(to_unit(images)), labels))
        return torch.cat(parts).double().cpu().numpy() if parts else np.zeros(0)


def changes_of(clean: Tensor, image: Tensor, *, n_pixels: int, generator: np.random.Generator) -> tuple[Array, Array]:
    """A changed image as positions int64 `(k,)` and colours uint8 `(k, 3)`.

    Slots that are left over hold other random positions in their clean colours, so that they change nothing yet.
    """
    before, after = (tensor.flatten(1).T.cpu().numpy() for tensor in (clean, image))
    changed = np.flatnonzero((before != after).any(axis=1))[:n_pixels]
    others = generator.permutation(np.setdiff1d(np.arange(len(before)), changed))[: n_pixels - len(changed)]
    positions = np.concatenate([changed, others]).astype(np.int64)
    return positions, after[positions]
