"""How much an attack computes, for `roco plan`: passes of one image through a network."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Passes:
    """Passes of one image.

    Attributes:
        forward: forward only.
        gradient: forward and backward down to the image, in large batches.
        alone: the same, image by image.
    """

    forward: int = 0
    gradient: int = 0
    alone: int = 0

    def __add__(self, other: "Passes") -> "Passes":
        return Passes(self.forward + other.forward, self.gradient + other.gradient, self.alone + other.alone)

    def __mul__(self, times: int) -> "Passes":
        return Passes(self.forward * times, self.gradient * times, self.alone * times)

    def __floordiv__(self, parts: int) -> "Passes":
        return Passes(self.forward // parts, self.gradient // parts, self.alone // parts)
