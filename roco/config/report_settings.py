"""Settings of the report. They are here because roco.config cannot import roco.report, which imports it."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from roco.settings import Count, Name, Positive, Section
from roco.settings.paths import PlainPath


def _existing(path: str) -> str:
    if not Path(path).exists():
        raise ValueError(f"expected an existing file or folder, got '{path}', which is not there")
    return path


ExistingPath = Annotated[PlainPath, AfterValidator(_existing)]


class MainComparison(Section):
    """The comparison that decides the first sentence of the report. A rule chooses what is null.

    Attributes:
        search: the search that is judged; null: the first with the adversarial objective.
        reference: the search that it is compared with; null: the first without that objective.
        networks: pairs at equal FLOPs, interpolated fronts, or the N lightest networks; null: chosen by FLOPs alone.
        measure: an attack's name, `test`, `adversarial_set`, or a radius of the curve in 1/255; null: the radius at
            which the networks of both searches together have nearest to half of the images right, or without a curve
            the strongest attack that separates networks.
    """

    search: Name | None = None
    reference: Name | None = None
    networks: Literal["equal_flops", "interpolated"] | Count | None = None
    measure: Positive | str | None = None


class ReportConfig(Section):
    """What the tables compare: the N lightest retrained networks of each search (paper, Tables III and IV)."""

    top: Annotated[list[Count], Field(min_length=1)] = [1, 3, 5]
    main: MainComparison = MainComparison()
    benchmarks: list[ExistingPath] = []
