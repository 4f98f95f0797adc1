"""Street View House Numbers, cropped digits (Netzer et al. 2011), read and downloaded by torchvision."""

from pathlib import Path

from roco.data.declaration import DataSet, NamedFile, Sizes
from roco.data.pools import LabelledArrays, Source, source_of_arrays
from roco.data.torchvision_files import found_or_downloaded, one_line

FILES = ("train_32x32.mat", "test_32x32.mat")


def read_svhn(path: Path, image_size: int) -> Source:
    """The two .mat files in the given folder; downloaded if they are not there."""
    from torchvision.datasets import SVHN

    with one_line("svhn", f"put {' and '.join(FILES)} into {path}, or set dataset.path to their folder"):
        train, test = (found_or_downloaded(SVHN, path, split=split) for split in ("train", "test"))
    return source_of_arrays(
        LabelledArrays(train.data.transpose(0, 2, 3, 1), train.labels),
        LabelledArrays(test.data.transpose(0, 2, 3, 1), test.labels),
        class_names=tuple(map(str, range(10))),
        size=image_size,
        where=str(path),
    )


def _files(path: Path) -> list[NamedFile]:
    return [(name, path / name) for name in FILES if (path / name).is_file()]


DATA_SET = DataSet(
    name="svhn",
    title="Street View House Numbers",
    read=read_svhn,
    pixels=(32, 32, 3),
    sizes=Sizes(train=73_257, test=26_032, classes=10),
    files=_files,
)
