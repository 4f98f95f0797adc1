"""Notes below tables and figures: short notes are shown; of long notes all but the first sentence is folded."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

# About two lines of the page.
LONGEST = 260
_END_OF_SENTENCE = re.compile(r"(?<=[.!?]) +(?=[A-Z('])")


@dataclass(frozen=True)
class Notes:
    """Notes that are shown, and notes that are folded because only some readers want them."""

    shown: tuple[str, ...]
    folded: tuple[str, ...] = ()


def folded(notes: Sequence[str]) -> Notes:
    """Shows all notes if they are short together; else the first sentence, and folds the rest."""
    if sum(map(len, notes)) <= LONGEST:
        return Notes(tuple(notes))
    first, *rest = _END_OF_SENTENCE.split(notes[0], maxsplit=1)
    return Notes((first,), (*rest, *notes[1:]))
