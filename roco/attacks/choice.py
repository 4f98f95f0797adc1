"""How a configuration names one of several attacks."""

from collections.abc import Iterable
from typing import Annotated, Any, Union

from pydantic import Field

from roco.settings import Section


def choice_of(attacks: Iterable[type[Section]]) -> Any:
    """The type of a setting that is one of several attacks, which are told apart by their `method`."""
    return Annotated[Union[tuple(attacks)], Field(discriminator="method")]  # noqa: UP007
