"""Notes below tables and figures: short ones are shown; of long ones the first sentence is shown, the rest folded."""

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
    """All notes where they are short together; else the first sentence, and what follows it to be unfolded."""
    if sum(map(len, notes)) <= LONGEST:
        return Notes(tuple(notes))
    first, *rest = _END_OF_SENTENCE.split(notes[0], maxsplit=1)
    return Notes((first,), (*rest, *notes[1:]))
