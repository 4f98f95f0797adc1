"""How a data set is declared: its name and sizes, how it is read, and from which files."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from roco.data.pools import Source

# A file that a data set is made from, and the name under which it is fingerprinted.
NamedFile = tuple[str, Path]


@dataclass(frozen=True)
class Sizes:
    """The numbers of training images (validation images included), test images and classes."""

    train: int
    test: int
    classes: int


def _no_files(_: Path) -> list[NamedFile]:
    return []


@dataclass(frozen=True)
class DataSet:
    """A data set that `dataset.name` in a configuration can name.

    The functions get `dataset.path`, or `data` if the configuration gives no path.

    Attributes:
        name: in a configuration.
        title: its name in the report.
        read: reads the images, and downloads them first if necessary. Called with the path and the wanted height and
            width in pixels. Raises DatasetError with one line if the images cannot be used.
        pixels: the height, width and channels of the original images; None if they differ.
        sizes: if they are known without reading, for `roco plan`.
        read_sizes: finds the sizes in the path if `sizes` is None; gives None if it cannot.
        files: the existing files in the path. When they change, the data set is made anew. A data set that comes with a
            package has none.
        users_own: whether the path names the user's own images; the configuration must then give it.
    """

    name: str
    title: str
    read: Callable[[Path, int], Source]
    pixels: tuple[int, int, int] | None = None
    sizes: Sizes | None = None
    read_sizes: Callable[[Path], Sizes | None] | None = None
    files: Callable[[Path], list[NamedFile]] = _no_files
    users_own: bool = False

    def sizes_at(self, path: Path) -> Sizes | None:
        """The sizes, as far as they are known without reading the images."""
        return self.read_sizes(path) if self.sizes is None and self.read_sizes else self.sizes
