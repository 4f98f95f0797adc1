"""Types of budgets and steps of Linf attacks. They are numbers of levels, each 1/255 of the range of pixels.

Other libraries give them in [0, 1], where 8/255 is 0.031. Read as levels, this number would make an attack that does
nothing and a network that looks robust. So a number that a user wrote is refused if it is too small to be levels. A
text such as 0.1/255 is always clear.
"""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationInfo

# Smaller numbers are refused: 0.3, for example, is a usual budget on MNIST in [0, 1].
SMALLEST_BUDGET, SMALLEST_STEP = 1.0, 0.2
# The validation context of values that a user wrote, unlike those that the program computed.
WRITTEN = {"written": True}


def _in_levels(value: Any, *, smallest: float, written: bool) -> Any:
    if isinstance(value, str):
        number, slash, range_of_pixels = value.partition("/")
        try:
            if not slash or float(range_of_pixels) != 255:
                raise ValueError
            return float(number)
        except ValueError:
            raise ValueError(f"expected a number of levels such as 8.0, or text such as 8/255, got '{value}'") from None
    number_is_small = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < smallest
    if written and number_is_small:
        raise ValueError(
            f"expected levels, which are 1/255 of the range of pixels, got {value}: write {255 * value:.3g}/255 if "
            f"this is a share of that range, as other libraries have it, and {value}/255 if not"
        )
    return value


# What editors are told to expect.
_AS_WRITTEN = Annotated[float, Field(gt=0)] | Annotated[str, Field(pattern=r"^[0-9.e-]+/255$")]


def _levels(smallest: float) -> tuple[BeforeValidator, PlainSerializer]:
    """How levels are read, and written in the form that a user has to write, so that they can be read again."""

    def read(value: Any, info: ValidationInfo) -> Any:
        return _in_levels(value, smallest=smallest, written=bool(info.context and info.context.get("written")))

    def dump(value: float) -> float | str:
        return f"{value!r}/255" if value < smallest else value

    return BeforeValidator(read, json_schema_input_type=_AS_WRITTEN), PlainSerializer(dump, when_used="json")


Eps = Annotated[float, Field(gt=0, le=255), *_levels(SMALLEST_BUDGET)]
Radius = Annotated[float, Field(gt=0, le=255), *_levels(SMALLEST_STEP)]
Step = Annotated[float, Field(gt=0, allow_inf_nan=False), *_levels(SMALLEST_STEP)]
