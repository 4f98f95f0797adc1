"""The user's own images in a folder: path/train/CLASS/ and path/test/CLASS/, with subfolders of a class."""

import os
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from roco.data.declaration import DataSet, NamedFile
from roco.data.pictures import Header, is_picture, read_header, read_picture, told
from roco.data.pools import Pool, Source
from roco.errors import DatasetError

Array = np.ndarray[Any, Any]

PARTS = ("train", "test")
# A note names at most so many files.
_NAMES = 3
# Line separators, control characters and lone surrogates, which figures cannot show and XML cannot contain.
_NOT_SHOWN = ("Cc", "Cs", "Zl", "Zp")


@dataclass(frozen=True)
class Folder:
    """The content of an image folder.

    Attributes:
        class_names: sorted.
        files: of each part, class by class, sorted within a class.
        labels: of the files of each part.
        left_out: entries that are no image of a class.
    """

    class_names: tuple[str, ...]
    files: dict[str, list[Path]]
    labels: dict[str, list[int]]
    left_out: list[Path]


def read_image_folder(root: Path, image_size: int) -> Source:
    """Reads images in path/train/CLASS/ and path/test/CLASS/, in the order of their sorted names.

    Raises:
        DatasetError: a folder is missing or cannot be read, a class has no images, or a name cannot be shown.
    """
    folder = list_folder(root)
    train, test = (_pool(folder.files[part], folder.labels[part], image_size) for part in PARTS)
    files = [path for part in PARTS for path in folder.files[part]]
    headers = [read_header(path) for path in files]
    notes = [*_describe_resizing(headers, image_size), *_describe_changes(root, files, headers)]
    notes += _left_out(root, folder)
    return Source(folder.class_names, train, test, tuple(notes))


def list_folder(root: Path) -> Folder:
    """The content of an image folder, without reading images; see `read_image_folder`."""
    left_out = [
        path for path, is_folder in _entries(root) if is_folder and path.name not in PARTS and not _hidden(path)
    ]
    names = {part: _class_names(root / part, left_out) for part in PARTS}
    _check_equal(root, names["train"], names["test"])
    images = {part: _by_class(root / part, names[part], left_out) for part in PARTS}
    files, labels = {part: images[part][0] for part in PARTS}, {part: images[part][1] for part in PARTS}
    return Folder(names["train"], files, labels, left_out)


def read_class_folders(folder: Path, image_size: int) -> tuple[Pool, tuple[str, ...]]:
    """The images of a folder with a folder for each class, and the sorted names of these.

    Raises:
        DatasetError: as `read_image_folder`.
    """
    left_out: list[Path] = []
    names = _class_names(folder, left_out)
    if len(names) < 2:
        raise DatasetError(f"{told(folder)}: expected a folder for each of at least 2 classes, found {len(names)}")
    return _pool(*_by_class(folder, names, left_out), image_size), names


def _by_class(folder: Path, names: Sequence[str], left_out: list[Path]) -> tuple[list[Path], list[int]]:
    """The files of all classes, class by class, and their labels; other entries are added to `left_out`."""
    files: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(names):
        images = list(_files_below(folder / name, left_out))
        if not images:
            raise DatasetError(f"{folder / name}: expected images (as .png, .jpg and so on), found none")
        files += images
        labels += [label] * len(images)
    return files, labels


def _entries(folder: Path) -> list[tuple[Path, bool]]:
    """The entries of a folder, sorted, and whether each is a folder itself."""
    try:
        with os.scandir(folder) as entries:
            return [(folder / entry.name, entry.is_dir()) for entry in sorted(entries, key=lambda entry: entry.name)]
    except NotADirectoryError:
        raise DatasetError(f"{told(folder)}: expected a folder, got a file") from None
    except FileNotFoundError:
        raise DatasetError(
            f"{told(folder)}: no such folder; an image_folder has its images in train/CLASS/ and test/CLASS/"
        ) from None
    except OSError as error:
        raise DatasetError(f"{told(folder)}: cannot be read ({error.strerror}); solve that and run again") from None


def _hidden(path: Path) -> bool:
    return path.name.startswith(".")


def _class_names(folder: Path, left_out: list[Path]) -> tuple[str, ...]:
    """The classes of a part; other entries are added to `left_out`."""
    names = []
    for path, is_folder in _entries(folder):
        if is_folder and not _hidden(path):
            names.append(_checked_name(path))
        elif is_folder or is_picture(path) or not _hidden(path):
            left_out.append(path)
    looks: dict[str, str] = {}
    for name in names:
        if (twin := looks.setdefault(unicodedata.normalize("NFC", name), name)) != name:
            raise DatasetError(f"{folder}: two classes look the same, {_forms(twin, name)}; rename one of them")
    return tuple(names)


def _checked_name(path: Path) -> str:
    """The name of a class, if figures, tables and the page can show it."""
    name = path.name
    try:
        name.encode()
    except UnicodeEncodeError:
        what = "is no UTF-8"
    else:
        if all(unicodedata.category(c) not in _NOT_SHOWN and c not in "\ufffe\uffff" for c in name):
            return name
        what = "has a character that cannot be shown"
    raise DatasetError(f"{told(path)}: the name of this class {what}; rename the folder")


def _check_equal(root: Path, train: Sequence[str], test: Sequence[str]) -> None:
    if not (different := sorted(set(train) ^ set(test))):
        return
    name = different[0]
    here, others = ("train", test) if name in train else ("test", train)
    there = "test" if here == "train" else "train"
    for other in others:
        if unicodedata.normalize("NFC", other) == unicodedata.normalize("NFC", name):
            raise DatasetError(
                f"{root}: expected the same classes in train and test, which write one name differently, "
                f"{_forms(name, other)} (in {here} and in {there}); rename one of the folders"
            )
    raise DatasetError(f"{root}: expected the same classes in train and test, only one of them has '{name}' ({here})")


def _forms(first: str, second: str) -> str:
    """Two names that look the same, with the character and the Unicode form in which they differ."""
    pairs = enumerate(zip(first, second, strict=False))
    start = next((index for index, (a, b) in pairs if a != b), min(len(first), len(second)))
    forms = []
    for name in (first, second):
        form = next((form for form in ("NFC", "NFD") if unicodedata.is_normalized(form, name)), "mixed")
        codes = " ".join(f"U+{ord(c):04X}" for c in name[start : start + 2])
        forms.append(f"in Unicode's {form} form with {codes}" if codes else f"in Unicode's {form} form")
    return f"'{first}' {forms[0]} and '{second}' {forms[1]}"


def _files_below(folder: Path, left_out: list[Path], above: frozenset[str] = frozenset()) -> Iterator[Path]:
    """The images in a folder and its subfolders, sorted; other entries are added to `left_out`."""
    here = os.path.realpath(folder)
    if here in above:
        # A link to a folder above it, which would have no end.
        left_out.append(folder)
        return
    for path, is_folder in _entries(folder):
        if is_folder and not _hidden(path):
            yield from _files_below(path, left_out, above | {here})
        elif not is_folder and is_picture(path) and not _hidden(path):
            yield path
        elif is_folder or is_picture(path) or not _hidden(path):
            left_out.append(path)


def _pool(files: Sequence[Path], labels: Sequence[int], size: int) -> Pool:
    def take(indices: Array) -> Array:
        images = np.empty((len(indices), 3, size, size), dtype=np.uint8)
        for row, index in enumerate(indices):
            images[row] = read_picture(files[index], size)
        return images

    return Pool(np.array(labels, dtype=np.int64), take)


def _describe_resizing(headers: Sequence[Header | None], size: int) -> tuple[str, ...]:
    """A note on the resizing of images of these shapes."""
    shapes = {header.shape for header in headers if header is not None}
    if shapes <= {(size, size)}:
        return ()
    smallest, largest = (f"{height} x {width}" for height, width in (min(shapes), max(shapes)))
    which = f"of {smallest} pixels" if len(shapes) == 1 else f"of {len(shapes)} shapes ({smallest} to {largest} pixels)"
    stretched = ", those that are not square stretched" if any(height != width for height, width in shapes) else ""
    return (f"images {which} were resized bilinearly to {size} x {size}{stretched}",)


def _describe_changes(root: Path, files: Sequence[Path], headers: Sequence[Header | None]) -> tuple[str, ...]:
    """A note on how many images were converted in which way, with the names of the first."""
    changed: dict[str, list[Path]] = {}
    for path, header in zip(files, headers, strict=True):
        for change in header.changes if header else ():
            changed.setdefault(change, []).append(path)
    if not changed:
        return ()
    parts = [f"{len(paths)} {change} ({_first_names(root, paths)})" for change, paths in sorted(changed.items())]
    return (f"of {len(files)} images: {'; '.join(parts)}",)


def _left_out(root: Path, folder: Folder) -> tuple[str, ...]:
    if not folder.left_out:
        return ()
    names = _first_names(root, folder.left_out)
    return (f"left out: {len(folder.left_out)} that are no image of a class or of no format that is read ({names})",)


def _first_names(root: Path, paths: Sequence[Path]) -> str:
    names = [told(path.relative_to(root)) for path in paths[:_NAMES]]
    return ", ".join(names if len(paths) <= _NAMES else [*names, "…"])


def _files(root: Path) -> list[NamedFile]:
    files, above = list_folder(root).files, str(root)
    # Not by relative_to, which for many thousand images takes as long as everything else together.
    return [(str(path).removeprefix(above).lstrip("/"), path) for part in PARTS for path in files[part]]


DATA_SET = DataSet(
    name="image_folder", title="Your own folder of images", read=read_image_folder, files=_files, users_own=True
)
