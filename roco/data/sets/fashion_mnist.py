"""Fashion-MNIST (Xiao et al. 2017), read and downloaded by torchvision."""

import gzip
import shutil
import tempfile
from pathlib import Path

from roco.data.declaration import DataSet, NamedFile, Sizes
from roco.data.pools import LabelledArrays, Source, source_of_arrays
from roco.data.torchvision_files import found_or_downloaded, one_line

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
# Where torchvision keeps them below the given folder.
BELOW = Path("FashionMNIST") / "raw"


def read_fashion_mnist(path: Path, image_size: int) -> Source:
    """Reads torchvision's folder, or four IDX files (plain or .gz) in the given folder itself."""
    from torchvision.datasets import FashionMNIST

    advice = f"put {FILES[0]}.gz and its three companions into a folder and set dataset.path to it"
    with one_line("fashion_mnist", advice), tempfile.TemporaryDirectory() as temporary:
        if any(_idx_file(path, name) for name in FILES):
            _lay_out(path, Path(temporary))
            train, test = (FashionMNIST(temporary, train=part) for part in (True, False))
        else:
            train, test = (found_or_downloaded(FashionMNIST, path, train=part) for part in (True, False))
    return source_of_arrays(
        LabelledArrays(train.data.numpy(), train.targets.numpy()),
        LabelledArrays(test.data.numpy(), test.targets.numpy()),
        class_names=tuple(train.classes),
        size=image_size,
        where=str(path),
    )


def _idx_file(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def _lay_out(folder: Path, temporary: Path) -> None:
    """Copies the four files, unpacked, to where torchvision looks for them."""
    (temporary / BELOW).mkdir(parents=True)
    for name in FILES:
        path = _idx_file(folder, name)
        if path is None:
            raise FileNotFoundError(f"no {name} or {name}.gz in {folder}")
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as packed:
            with (temporary / BELOW / name).open("wb") as file:
                shutil.copyfileobj(packed, file)


def _files(path: Path) -> list[NamedFile]:
    right_here = [file for file in (_idx_file(path, name) for name in FILES) if file is not None]
    files = right_here or [path / BELOW / name for name in FILES]
    return [(file.name, file) for file in files if file.is_file()]


DATA_SET = DataSet(
    name="fashion_mnist",
    title="Fashion-MNIST",
    read=read_fashion_mnist,
    pixels=(28, 28, 1),
    sizes=Sizes(train=60_000, test=10_000, classes=10),
    files=_files,
)
