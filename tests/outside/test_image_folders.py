"""Image folders as people have them; each test says where the fault was met in neighbouring tools."""

import os
import struct
import unicodedata
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from source_files import read, refused

from roco.data.pictures import bits_in_head

Array = np.ndarray[Any, Any]
Saver = Callable[[Path], object]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes with one grey-blue picture each, in both parts."""
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            (tmp_path / part / name).mkdir(parents=True)
            Image.new("RGB", (16, 16), (10, 20, 200)).save(tmp_path / part / name / "plain.png")
    return tmp_path


def first_of(folder: Path) -> Array:
    """The first training image of the first class, `(16, 16, 3)`."""
    return read("image_folder", folder).train.take(np.array([0]))[0].transpose(1, 2, 0)


# Phones store photos lying on their side and a number that says so; torchvision's ImageFolder ignores it.
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_stands_upright_whatever_its_exif_orientation(folder: Path, orientation: int) -> None:
    upright = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    # What a camera stores so that a viewer, by the number, shows it upright (Exif 2.3, tag 274).
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(folder / "train" / "cat" / "a.png", exif=exif)
    np.testing.assert_array_equal(first_of(folder), upright)
    [*notes] = read("image_folder", folder).notes
    turned = "of 5 images: 1 turned as their EXIF orientation says (train/cat/a.png)"
    assert notes == ([turned] if orientation > 1 else [])


# Logos and drawings on transparent ground become black squares with `convert("RGB")` (Keras, fastai and others).
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB"])
def test_transparent_ground_is_white(folder: Path, mode: str) -> None:
    drawing = np.zeros((16, 16, 4), dtype=np.uint8)
    drawing[4:12, 4:12, 3] = 255
    path = folder / "train" / "cat" / "a.png"
    if mode in ("P", "RGB"):
        # One colour is declared transparent: number 1 of a palette, or red.
        ground = np.where(drawing[..., 3] == 0, 1, 0).astype(np.uint8)
        if mode == "P":
            image = Image.fromarray(ground, "L").convert("P")
            image.putpalette([0, 0, 0, 255, 0, 0])
            image.save(path, transparency=1)
        else:
            red = np.zeros((16, 16, 3), dtype=np.uint8)
            red[..., 0] = 255 * ground
            Image.fromarray(red).save(path, transparency=(255, 0, 0))
    else:
        Image.fromarray(drawing).convert(mode).save(path)
    found = first_of(folder)
    assert (found[4:12, 4:12] == 0).all()
    assert (found[:4] == 255).all()
    assert "1 with an alpha channel or transparent colour, were put on white" in read("image_folder", folder).notes[-1]


def png_of_16_bits(path: Path, *, colour: int, channels: int) -> None:
    """A PNG of 12-bit white, made by hand, as Pillow writes none of 16-bit colour."""
    rows = np.full((16, 16 * channels), 4095, dtype=">u2")

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 16, 16, colour, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows)))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + body + chunk(b"IEND", b""))


# Pillow cuts 16-bit colour to its high byte without a word: 12-bit scans come out almost black (python-pillow/Pillow).
@pytest.mark.parametrize(("colour", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_png_of_16_bits_is_refused_in_grey_and_colour(folder: Path, colour: int, channels: int) -> None:
    png_of_16_bits(folder / "train" / "cat" / "a.png", colour=colour, channels=channels)
    assert "a.png: expected 8 bits per channel, got 16" in refused("image_folder", folder)


@pytest.mark.parametrize(("kind", "channels"), [(b"P5", 1), (b"P6", 3)])
def test_ppm_of_12_bits_is_refused(folder: Path, kind: bytes, channels: int) -> None:
    pixels = np.full(256 * channels, 4095, dtype=">u2").tobytes()
    (folder / "train" / "cat" / "a.ppm").write_bytes(kind + b"\n16 16\n4095\n" + pixels)
    assert "a.ppm: expected 8 bits per channel, got " in refused("image_folder", folder)


def test_jpeg_2000_of_12_bits_is_refused(folder: Path) -> None:
    path = folder / "train" / "cat" / "a.jp2"
    Image.new("RGB", (16, 16), (255, 0, 0)).save(path)
    assert first_of(folder)[0, 0].tolist() == [255, 0, 0]
    content = bytearray(path.read_bytes())
    # Ssiz of the first component: its depth less one.
    content[content.index(b"\xff\x4f\xff\x51") + 42] = 11
    path.write_bytes(content)
    assert "a.jp2: expected 8 bits per channel, got 12" in refused("image_folder", folder)


@pytest.mark.skipif(".avif" not in Image.registered_extensions(), reason="this Pillow reads no AVIF")
def test_the_10_bits_of_an_avif_are_seen(folder: Path) -> None:
    path = folder / "train" / "cat" / "a.avif"
    Image.new("RGB", (16, 16), (0, 0, 0)).save(path)
    assert first_of(folder).max() < 10
    content = bytearray(path.read_bytes())
    assert bits_in_head(bytes(content)) == 8
    content[content.index(b"av1C") + 6] |= 0x40
    assert bits_in_head(bytes(content)) == 10


# .jfif from a browser, .gif and .ppm of old data sets (CMU faces, GTSRB): ImageFolder reads some, others none.
@pytest.mark.parametrize("suffix", [".ppm", ".pgm", ".gif", ".jfif", ".jpe", ".jp2", ".tga", ".JPG", ".apng"])
def test_what_pillow_reads_is_read(folder: Path, suffix: str) -> None:
    image = Image.new("L" if suffix == ".pgm" else "RGB", (16, 16), 255 if suffix == ".pgm" else (255, 255, 255))
    image.save(folder / "train" / "cat" / f"a{suffix}")
    assert (first_of(folder) == 255).all()
    assert len(read("image_folder", folder).train.labels) == 3


def test_of_several_frames_the_first_is_taken(folder: Path) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("white", "black")]
    frames[0].save(folder / "train" / "cat" / "a.gif", save_all=True, append_images=frames[1:])
    assert (first_of(folder) == 255).all()
    assert "1 with several frames, gave their first (train/cat/a.gif)" in read("image_folder", folder).notes[-1]


# ImageFolder reads what lies deeper in a class; ours skipped it. `.ipynb_checkpoints` is the class that nobody wants.
def test_what_lies_deeper_is_read_and_what_is_left_out_is_counted(folder: Path) -> None:
    cat = folder / "train" / "cat"
    (cat / "more").mkdir()
    Image.new("RGB", (16, 16), "white").save(cat / "more" / "a.png")
    (folder / "train" / ".ipynb_checkpoints").mkdir()
    Image.new("RGB", (16, 16)).save(folder / "train" / "loose.png")
    (cat / "a.heic").write_bytes(b"a format that Pillow does not read")
    (cat / "._plain.png").write_bytes(b"of a Mac's archive")
    (cat / ".DS_Store").write_bytes(b"of no interest")
    (folder / "val" / "cat").mkdir(parents=True)
    source = read("image_folder", folder)
    assert source.class_names == ("cat", "dog")
    assert source.train.labels.tolist() == [0, 0, 1]
    assert (source.train.take(np.array([0])) == 255).all()
    assert source.notes == (
        "left out: 5 that are no image of a class or of no format that is read (val, train/.ipynb_checkpoints, "
        "train/loose.png, …)",
    )


def test_a_link_to_the_folder_it_lies_in_is_left_out(folder: Path) -> None:
    (folder / "train" / "cat" / "again").symlink_to(folder / "train" / "cat")
    source = read("image_folder", folder)
    assert source.train.labels.tolist() == [0, 1]
    assert "train/cat/again" in source.notes[-1]


# Grey images among colour ones were converted without the note that the documentation promises.
def test_grey_images_are_counted(folder: Path) -> None:
    for number in range(5):
        Image.new("L", (16, 16), 9).save(folder / "train" / "dog" / f"{number}.png")
    names = "train/dog/0.png, train/dog/1.png, train/dog/2.png, …"
    assert read("image_folder", folder).notes == (f"of 9 images: 5 grey, became three equal channels ({names})",)


# A share of a cluster on which one folder belongs to a colleague: a traceback in the first rule.
@pytest.mark.parametrize("part", ["train", "train/cat"])
def test_a_folder_that_may_not_be_read_is_one_line(folder: Path, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = folder / part
    scanned = os.scandir

    def refuse(path: Any = ".") -> Any:
        if Path(os.fspath(path)) == closed:
            raise PermissionError(13, "Permission denied", str(path))
        return scanned(path)

    # Not by its mode: tests may run as root, who reads everything.
    monkeypatch.setattr(os, "scandir", refuse)
    assert refused("image_folder", folder) == f"{closed}: cannot be read (Permission denied); solve that and run again"


# Names typed on a Mac (NFD) and on Linux (NFC) look the same: "only one of them has 'é'" helps nobody.
def test_forms_of_one_name_are_told_apart(folder: Path) -> None:
    for part, form in (("train", "NFC"), ("test", "NFD")):
        (folder / part / "dog").rename(folder / part / unicodedata.normalize(form, "Käfer"))
    line = refused("image_folder", folder)
    assert "which write one name differently" in line
    assert "in Unicode's NFC form with U+00E4" in line
    assert "in Unicode's NFD form with U+0061 U+0308" in line


def test_two_classes_that_look_the_same_are_refused(folder: Path) -> None:
    for part in ("train", "test"):
        (folder / part / "dog").rename(folder / part / unicodedata.normalize("NFC", "Käfer"))
        (folder / part / "cat").rename(folder / part / unicodedata.normalize("NFD", "Käfer"))
    assert "two classes look the same" in refused("image_folder", folder)


# Folders unpacked from an archive of another system: all was computed before the last rule could not write the name.
@pytest.mark.parametrize("name", [b"caf\xe9", b"two\nlines", b"bell\x07", "a\u2028b".encode()])
def test_a_name_that_cannot_be_shown_is_refused_at_once(folder: Path, name: bytes) -> None:
    for part in ("train", "test"):
        (folder / part / "dog").rename(folder / part / os.fsdecode(name))
    line = refused("image_folder", folder)
    assert line.endswith("; rename the folder")
    assert line.isprintable()
    line.encode()


def test_a_file_whose_name_is_no_utf8_is_read_and_named_in_text(folder: Path) -> None:
    path = os.fsencode(folder / "train" / "cat") + b"/a\xe9.png"
    Image.new("L", (16, 16), 255).save(os.fsdecode(path))
    assert (first_of(folder) == 255).all()
    assert "train/cat/a\\xe9.png" in read("image_folder", folder).notes[0]
    Path(os.fsdecode(path)).write_bytes(b"damaged")
    assert "a\\xe9.png: cannot be read as an image" in refused("image_folder", folder)
