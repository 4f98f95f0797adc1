"""Fonts for names that users chose: which fonts of this machine have characters that the usual font lacks."""

import functools
import logging
from collections.abc import Iterable

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.text import Text

log = logging.getLogger("roco")

FAMILY = "DejaVu Sans"


def families(text: str) -> list[str]:
    """The usual family, then families with the characters that it lacks; matplotlib takes the first that has each."""
    chosen, missing = [FAMILY], set(lacking(text, [FAMILY]))
    if not missing:
        return chosen
    having = _characters_of(frozenset(missing))
    for name in sorted(having, key=lambda name: (-len(having[name]), name)):
        if having[name] & missing:
            chosen.append(name)
            missing -= having[name]
    return chosen


def lacking(text: str, of: Iterable[str]) -> str:
    """The different characters of a text that none of the families has, without line ends."""
    fonts = [get_font(findfont(FontProperties(family=[name]))) for name in of]
    return "".join(c for c in dict.fromkeys(text) if c != "\n" and not any(f.get_char_index(ord(c)) for f in fonts))


def show_numbers_instead(figure: Figure) -> None:
    """Replaces texts with characters that no font here has by their labels; a PNG would show boxes."""
    absent = ""
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        if lacks := lacking(text.get_text(), text.get_fontfamily()):
            absent += lacks
            text.set_text(str(text.get_label()) or text.get_text())
    if absent:
        characters = "".join(dict.fromkeys(absent))[:20]
        log.warning(
            "no font of this machine has '%s': the PNG shows numbers of classes instead, the SVG shows the names where "
            "it is read; with such a font (fonts-noto-cjk on Debian) both do",
            characters,
        )


@functools.cache
def _characters_of(wanted: frozenset[str]) -> dict[str, frozenset[str]]:
    """For each font family of this machine, the wanted characters that it has."""
    by_family: dict[str, frozenset[str]] = {}
    for entry in fontManager.ttflist:
        # The last resort font shows a box with the name of the script for every character. Only the normal style is
        # used by texts.
        if entry.style != "normal" or "last resort" in entry.name.lower():
            continue
        try:
            font = get_font(entry.fname)
        except (OSError, RuntimeError):
            continue
        have = frozenset(c for c in wanted if font.get_char_index(ord(c)))
        by_family[entry.name] = by_family.get(entry.name, frozenset()) | have
    return by_family
