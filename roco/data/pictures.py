"""Single image files: which can be read, how reading changes them, and their pixels as RGB."""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from roco.errors import DatasetError

if TYPE_CHECKING:
    from PIL.Image import Image

Array = np.ndarray[Any, Any]

# Formats that Pillow knows but reads with other programs only, or that contain no pixels.
_NO_PIXELS = {"BUFR", "EPS", "GRIB", "HDF5", "IPTC", "MPEG", "WMF"}
# Formats with several frames. Others can contain several images too (a phone's JPEG with its preview), but programs
# show only the first.
_FILMS = {"AVIF", "GIF", "PNG", "TIFF", "WEBP"}
_ORIENTATION = 0x112
_TIFF_BITS = 258
# Headers of JPEG 2000 and AVIF always lie within so many bytes.
_HEAD_BYTES = 1 << 16

# The changes that reading makes to a file, as notes word them.
GREY = "grey, became three equal channels"
TRANSPARENT = "with an alpha channel or transparent colour, were put on white"
TURNED = "turned as their EXIF orientation says"
CMYK = "of other colours than RGB, were converted"
FIRST_FRAME = "with several frames, gave their first"


@functools.cache
def suffixes() -> frozenset[str]:
    """The endings of the names of files that Pillow reads here, in lower case."""
    from PIL import Image

    Image.init()
    known = Image.registered_extensions()
    return frozenset(suffix for suffix, kind in known.items() if kind in Image.OPEN and kind not in _NO_PIXELS)


def is_picture(path: Path) -> bool:
    """Whether a file's name ends as that of an image that can be read."""
    return path.suffix.lower() in suffixes()


def told(path: str | Path) -> str:
    """A path as one line of printable text, even if its name is no valid UTF-8."""
    text = str(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@dataclass(frozen=True)
class Header:
    """The header of an image.

    Attributes:
        shape: height and width in which the image is shown.
        changes: the changes that reading makes to it.
    """

    shape: tuple[int, int]
    changes: tuple[str, ...]


def read_header(path: Path) -> Header | None:
    """The header of an image; None if it cannot be read. Reading its pixels then raises the error."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            orientation = image.getexif().get(_ORIENTATION, 1)
            several = image.format in _FILMS and getattr(image, "n_frames", 1) > 1
            happens = {
                GREY: image.mode in ("1", "L", "LA", "La"),
                TRANSPARENT: image.has_transparency_data,
                TURNED: orientation in range(2, 9),
                CMYK: image.mode in ("CMYK", "YCbCr", "LAB", "HSV"),
                FIRST_FRAME: several,
            }
            height, width = image.height, image.width
    except Exception:
        # Pillow's readers can raise any error for damaged bytes. No other code runs in this block.
        return None
    shape = (width, height) if orientation in range(5, 9) else (height, width)
    return Header(shape, tuple(change for change, does in happens.items() if does))


def read_picture(path: Path, size: int) -> Array:
    """The pixels of an image as viewers show it, turned by its EXIF orientation, on white: uint8 `(3, size, size)`.

    Raises:
        DatasetError: it cannot be read, or has more than 8 bits per channel.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as image:
            bits = _bits_per_channel(image, path)
            if bits > 8:
                raise DatasetError(
                    f"{told(path)}: expected 8 bits per channel, got {bits}; convert it first, as only you know which "
                    f"of its values are black and white"
                )
            resized = _on_white(ImageOps.exif_transpose(image)).resize((size, size), Image.Resampling.BILINEAR)
    except DatasetError:
        raise
    except Exception as error:
        raise DatasetError(f"{told(path)}: cannot be read as an image ({type(error).__name__})") from None
    return np.asarray(resized).transpose(2, 0, 1)


def _on_white(image: "Image") -> "Image":
    from PIL import Image

    if image.has_transparency_data:
        with_alpha = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), with_alpha)
    return image.convert("RGB")


def _bits_per_channel(image: "Image", path: Path) -> int:
    """The bits in the file. Pillow's mode does not say, because Pillow cuts colours of 16 bits to 8 as it reads."""
    if image.mode[0] in "IF":
        return 16 if ";16" in image.mode else 32
    tags = getattr(image, "tag_v2", None) if image.format == "TIFF" else None
    depths: list[int] = [8, *(tags.get(_TIFF_BITS, (8,)) if tags is not None else ())]
    for tile in getattr(image, "tile", ()):
        arguments = tile.args if isinstance(tile.args, tuple) else (tile.args,)
        depths += [16 for value in arguments if isinstance(value, str) and ";16" in value]
        # The largest value of a PPM or PGM.
        depths += [value.bit_length() for value in arguments if image.format == "PPM" and isinstance(value, int)]
    if image.format in ("JPEG2000", "AVIF"):
        with path.open("rb") as file:
            depths.append(bits_in_head(file.read(_HEAD_BYTES)))
    return max(depths)


def bits_in_head(head: bytes) -> int:
    """The bits of a channel in a JPEG 2000 codestream or an AVIF.

    Source: the SIZ marker (ISO 15444-1, A.5.1) and the av1C box (AV1-ISOBMFF, 2.3.3).
    """
    codestream, box = head.find(b"\xff\x4f\xff\x51"), head.find(b"av1C")
    if codestream >= 0:
        # The depth of the first component comes after two markers, 36 bytes of sizes, and the number of components.
        return (head[codestream + 42] & 0x7F) + 1
    if box >= 0:
        flags = head[box + 6]
        return 8 if not flags & 0x40 else 12 if flags & 0x20 else 10
    return 8
