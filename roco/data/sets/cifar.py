"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009), read and downloaded by torchvision."""

from pathlib import Path

import numpy as np

from roco.data.declaration import DataSet, NamedFile, Sizes
from roco.data.pools import LabelledArrays, Source, source_of_arrays
from roco.data.torchvision_files import found_or_downloaded, one_line


def _cifar(name: str, title: str, *, maker: str, folder: str, classes: int) -> DataSet:
    """CIFAR-10 or CIFAR-100: torchvision's class `maker` reads it from `folder` below the given path."""

    def read(path: Path, image_size: int) -> Source:
        from torchvision import datasets

        with one_line(name, f"put the folder {folder} into {path}, or set dataset.path to the folder it is in"):
            train, test = (found_or_downloaded(getattr(datasets, maker), path, train=part) for part in (True, False))
        return source_of_arrays(
            LabelledArrays(train.data, np.array(train.targets)),
            LabelledArrays(test.data, np.array(test.targets)),
            class_names=tuple(train.classes),
            size=image_size,
            where=str(path),
        )

    def files(path: Path) -> list[NamedFile]:
        return [(file.name, file) for file in sorted((path / folder).glob("*")) if file.is_file()]

    sizes = Sizes(train=50_000, test=10_000, classes=classes)
    return DataSet(name, title, read, pixels=(32, 32, 3), sizes=sizes, files=files)


CIFAR10 = _cifar("cifar10", "CIFAR-10", maker="CIFAR10", folder="cifar-10-batches-py", classes=10)
CIFAR100 = _cifar("cifar100", "CIFAR-100", maker="CIFAR100", folder="cifar-100-python", classes=100)
