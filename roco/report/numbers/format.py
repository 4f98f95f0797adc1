"""Numbers as text: percent, millions, intervals; a missing value is a dash."""

import math

import pandas as pd

NO_VALUE = "–"
MINUS = "−"


def missing(value: object) -> bool:
    """Whether a cell of a frame has no value."""
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def percent(value: float | None, *, digits: int = 1, sign: bool = False) -> str:
    """A fraction as percent, without the percent sign; a missing value as a dash."""
    if missing(value) or value is None:
        return NO_VALUE
    # `z`: a number that rounds to zero has no minus.
    return f"{100 * value:{'+' if sign else ''}z.{digits}f}".replace("-", MINUS)


def percent_interval(value: float | None, low: float | None, high: float | None, *, sign: bool = False) -> str:
    """A fraction and its interval as percent: `81.9 (79.0–84.1)`, or `+1.2 (−0.3 to +2.7)`."""
    shown = percent(value, sign=sign)
    if shown == NO_VALUE or missing(low):
        return shown
    # A dash between signed numbers would read as a sign.
    return f"{shown} ({percent(low, sign=sign)}{' to ' if sign else '–'}{percent(high, sign=sign)})"


def millions(value: float | None, *, digits: int = 2) -> str:
    """A count in millions."""
    return NO_VALUE if missing(value) or value is None else f"{float(value) / 1e6:.{digits}f}"


def whole(value: int | float | None) -> str:
    """A whole number with thousands separated."""
    return NO_VALUE if missing(value) or value is None else f"{int(value):,}"


def signed_interval(value: float | None, low: float | None, high: float | None, *, digits: int = 2) -> str:
    """A signed number and its interval: `+0.41 (−0.02 to +0.71)`."""
    if missing(value):
        return NO_VALUE
    shown = [f"{number:+z.{digits}f}".replace("-", MINUS) for number in (value, low, high) if not missing(number)]
    return shown[0] if len(shown) < 3 else f"{shown[0]} ({shown[1]} to {shown[2]})"
