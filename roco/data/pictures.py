"""Single image files: which of them can be read, what reading changes in them, and their pixels as RGB."""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from roco.errors import DatasetError

if TYPE_CHECKING:
    from PIL.Image import Image

Array = np.ndarray[Any, Any]

# Formats that Pillow knows by name, but leaves to other programs, or that hold no pixels.
_NO_PIXELS = {"BUFR", "EPS", "GRIB", "HDF5", "IPTC", "MPEG", "WMF"}
# Formats that can hold several images; what else has several (a phone's JPEG with its preview) shows one to everybody.
_FILMS = {"AVIF", "GIF", "PNG", "TIFF", "WEBP"}
_ORIENTATION = 0x112
_TIFF_BITS = 258
# Where the headers of JPEG 2000 and AVIF lie for certain.
_HEAD_BYTES = 1 << 16

# What reading does to a file, in the words of a note.
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
    """Whether the name of a file is that of an image which can be read."""
    return path.suffix.lower() in suffixes()


def told(path: str | Path) -> str:
    """A path as one line of text, whatever bytes its name has."""
    text = str(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@dataclass(frozen=True)
class Header:
    """What the header of an image says.

    Attributes:
        shape: height and width as it is shown.
        changes: what reading does to it.
    """

    shape: tuple[int, int]
    changes: tuple[str, ...]


def read_header(path: Path) -> Header | None:
    """What the header of an image says; None if it cannot be read, which reading its pixels then tells."""
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
        # Pillow's readers raise whatever damaged bytes lead them to, and nothing else runs in here.
        return None
    shape = (width, height) if orientation in range(5, 9) else (height, width)
    return Header(shape, tuple(change for change, does in happens.items() if does))


def read_picture(path: Path, size: int) -> Array:
    """The pixels of an image as people see it: turned by its EXIF orientation, on white, uint8 `(3, size, size)`.

    Raises:
        DatasetError: it cannot be read, or has more than 8 bits a channel.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as image:
            bits = _bits_per_channel(image, path)
            if bits > 8:
                raise DatasetError(
                    f"{told(path)}: expected 8 bits a channel, got {bits}; convert it first, as only you know which "
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
    """Of the file. Pillow's mode does not say it: it cuts colour of 16 bits to 8 when it reads."""
    if image.mode[0] in "IF":
        return 16 if ";16" in image.mode else 32
    tags = getattr(image, "tag_v2", None) if image.format == "TIFF" else None
    found: list[int] = [8, *(tags.get(_TIFF_BITS, (8,)) if tags is not None else ())]
    for tile in getattr(image, "tile", ()):
        arguments = tile.args if isinstance(tile.args, tuple) else (tile.args,)
        found += [16 for value in arguments if isinstance(value, str) and ";16" in value]
        # The largest value of a PPM or PGM.
        found += [value.bit_length() for value in arguments if image.format == "PPM" and isinstance(value, int)]
    if image.format in ("JPEG2000", "AVIF"):
        with path.open("rb") as file:
            found.append(bits_in_head(file.read(_HEAD_BYTES)))
    return max(found)


def bits_in_head(head: bytes) -> int:
    """Of a JPEG 2000 codestream (its SIZ marker, ISO 15444-1 A.5.1) or an AVIF (its av1C box, AV1-ISOBMFF 2.3.3)."""
    codestream, box = head.find(b"\xff\x4f\xff\x51"), head.find(b"av1C")
    if codestream >= 0:
        # Behind the two markers, 36 bytes of sizes and the number of components: the depth of the first.
        return (head[codestream + 42] & 0x7F) + 1
    if box >= 0:
        flags = head[box + 6]
        return 8 if not flags & 0x40 else 12 if flags & 0x20 else 10
    return 8
