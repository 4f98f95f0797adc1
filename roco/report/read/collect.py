"""Reads a study's files into data frames: no statistics and no wording here.

Every function takes the files that it reads; none looks for files. Fractions are in [0, 1], FLOPs are multiply-adds.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Self, TypeVar

import pandas as pd

from roco.attacks.records import Transfer
from roco.data.dataset import dataset_facts as dataset_facts
from roco.errors import ArtifactError
from roco.report.read import columns, robustness_rows
from roco.report.read.example_rows import example_rows
from roco.report.read.nas_benchmarks import networks_of_others
from roco.report.read.robustness_rows import Row, network_row
from roco.retraining.records import EmptySlot, MeasuredNetwork, read_robustness, read_training
from roco.search.records import Front, Population, read_evaluations
from roco.storage.artifacts import check_provenance, read_attributes
from roco.study.files import ADVERSARIAL, STANDARD
from roco.study.files import INITIAL as INITIAL
from roco.study.files import REFERENCES as REFERENCES
from roco.training.records import TargetMetrics

Content = TypeVar("Content")

# The columns that identify a network of a study, and a retraining.
PLACE = ["search", "seed", "slot"]
RETRAINING = [*PLACE, "training_seed"]
# The columns that are equal for all retrainings of a network.
OF_NETWORK = ["genome", "key", "channels", "flops", "parameters", "search_flops", "search_parameters"]


@dataclass(frozen=True)
class StudyFiles:
    """The files of a study, by kind; each list in any order.

    Attributes:
        targets: metrics.json of each target.
        adversarial_sets: the HDF5 file of each split.
        images: the data set, for the figure of examples.
        transfer: transfer.json of the test set.
        shards: evaluation shards of all searches and generations.
        populations: population.json of all searches, seeds and generations.
        fronts: front.json of all searches and seeds.
        robustness: robustness.json of all slots, with the references.
        trainings: training.json of the same slots, for the device time.
        adversarial_robustness: robustness.json of the same slots after adversarial training.
        adversarial_trainings: training.json of these.
        benchmarks: files or folders of networks of others.
    """

    targets: Sequence[str | Path] = ()
    adversarial_sets: Sequence[str | Path] = ()
    images: Sequence[str | Path] = ()
    transfer: Sequence[str | Path] = ()
    shards: Sequence[str | Path] = ()
    populations: Sequence[str | Path] = ()
    fronts: Sequence[str | Path] = ()
    robustness: Sequence[str | Path] = ()
    trainings: Sequence[str | Path] = ()
    adversarial_robustness: Sequence[str | Path] = ()
    adversarial_trainings: Sequence[str | Path] = ()
    benchmarks: Sequence[str | Path] = ()

    @classmethod
    def from_names(cls, source: Any) -> Self:
        """The files from an object with attributes of these names, such as a rule's input; missing kinds are empty."""
        return cls(**{field.name: tuple(getattr(source, field.name, ())) for field in fields(cls)})


@dataclass(frozen=True)
class Study:
    """The results of a study as frames, with the columns in roco.report.read.columns.

    Attributes:
        targets: TARGETS, a row per target.
        cells: CELLS, a row per split, target, norm and threshold.
        examples: EXAMPLES, a row per cell of the test set with a success, if the data set is given.
        transfer: TRANSFER, a row per norm, threshold, source and other target.
        evaluations: EVALUATIONS, a row per record; a network of several searches is in each of them.
        populations: POPULATIONS, a row per survivor of a generation.
        fronts: FRONTS, a row per network of a final front, by rising FLOPs.
        networks: NETWORKS, a row per retraining, without empty slots; failed retrainings have missing numbers.
        breakdown: BREAKDOWN, a row per retraining and cell of the test adversarial set.
        attacks: ATTACKS, a row per retraining and white-box attack.
        curves: CURVES, a row per retraining and radius; radius 0 is no attack.
        perturbations: PERTURBATIONS, a row per retraining and norm.
        flags: FLAGS, a row per retraining and sanity flag.
        trainings: TRAININGS, a row per retraining.
        benchmarks: BENCHMARKS, a row per network of others and attack.
        adversarial: the same study with the measurements after adversarial training; None without such training.
    """

    targets: pd.DataFrame
    cells: pd.DataFrame
    examples: pd.DataFrame
    transfer: pd.DataFrame
    evaluations: pd.DataFrame
    populations: pd.DataFrame
    fronts: pd.DataFrame
    networks: pd.DataFrame
    breakdown: pd.DataFrame
    attacks: pd.DataFrame
    curves: pd.DataFrame
    perturbations: pd.DataFrame
    flags: pd.DataFrame
    trainings: pd.DataFrame
    benchmarks: pd.DataFrame
    adversarial: "Study | None" = None

    @property
    def retrainings(self) -> pd.DataFrame:
        """The retrainings that did not fail."""
        return self.networks[self.networks["status"] == "ok"]

    @property
    def retrained(self) -> pd.DataFrame:
        """The networks with a retraining that did not fail, with the columns that do not depend on the training."""
        return self.retrainings.drop_duplicates(PLACE)[[*PLACE, *OF_NETWORK]]


def collect(files: StudyFiles) -> Study:
    """All frames of a study; a kind without files gives an empty frame with its columns.

    Raises:
        ArtifactError: a file is missing, damaged, of another kind, of another study or slot, or lacks a field.
    """
    transfers = _read_each(files.transfer, Transfer.load)
    fronts = _read_each(files.fronts, Front.load)
    robustness = _read_each([*files.robustness, *files.adversarial_robustness], read_robustness)
    trainings = _read_each([*files.trainings, *files.adversarial_trainings], read_training)
    sets = _read_each(files.adversarial_sets, lambda path: read_attributes(path, "adversarial_set"))
    _check_together([*sets, *((path, dict(record)) for path, record in [*transfers, *fronts, *robustness, *trainings])])
    of_both_ways = partial(
        Study,
        targets=_frame(map(dict, map(TargetMetrics.load, files.targets)), columns.TARGETS, by=["split", "target"]),
        cells=_frame(_cells(files.adversarial_sets), columns.CELLS, by=["split", "target", "norm", "threshold"]),
        examples=_frame(
            example_rows(files.adversarial_sets, files.images), columns.EXAMPLES, by=["target", "norm", "threshold"]
        ),
        transfer=_frame(
            [dict(pair) for _, transfer in transfers for pair in transfer.pairs],
            columns.TRANSFER,
            by=["norm", "threshold", "source", "target"],
        ),
        evaluations=_frame(
            chain.from_iterable(map(_evaluation_rows, files.shards)),
            columns.EVALUATIONS,
            by=["search", "seed", "generation", "genome"],
        ),
        populations=_frame(
            chain.from_iterable(map(_population_rows, map(Population.load, files.populations))),
            columns.POPULATIONS,
            by=["search", "seed", "generation", "flops", "key"],
        ),
        fronts=_frame(
            chain.from_iterable(_front_rows(front) for _, front in fronts),
            columns.FRONTS,
            by=["search", "seed", "position"],
        ),
        benchmarks=_frame(
            [dict(network) for path in files.benchmarks for network in networks_of_others(path)],
            columns.BENCHMARKS,
            by=["benchmark", "data_set", "method", "eps", "network"],
        ),
    )

    def of_a_way(*, adversarial: bool, other: Study | None = None) -> Study:
        slots = [record for _, record in robustness if not isinstance(record, EmptySlot)]
        slots = [record for record in slots if record.adversarial is adversarial]
        measured = [record for record in slots if isinstance(record, MeasuredNetwork)]
        trained = [dict(record) for _, record in trainings if not isinstance(record, EmptySlot)]
        return of_both_ways(
            networks=_frame(map(network_row, slots), columns.NETWORKS, by=RETRAINING),
            breakdown=_frame(
                robustness_rows.breakdown_rows(measured),
                columns.BREAKDOWN,
                by=[*RETRAINING, "target", "norm", "threshold"],
            ),
            attacks=_frame(robustness_rows.attack_rows(measured), columns.ATTACKS, by=RETRAINING),
            curves=_frame(robustness_rows.curve_rows(measured), columns.CURVES, by=[*RETRAINING, "radius"]),
            perturbations=_frame(
                robustness_rows.perturbation_rows(measured), columns.PERTURBATIONS, by=[*RETRAINING, "norm"]
            ),
            flags=_frame(robustness_rows.flag_rows(measured), columns.FLAGS, by=RETRAINING),
            trainings=_frame(
                [row for row in trained if row["adversarial"] is adversarial], columns.TRAININGS, by=RETRAINING
            ),
            adversarial=other,
        )

    return of_a_way(adversarial=False, other=of_a_way(adversarial=True) if files.adversarial_robustness else None)


def rows_of(frame: pd.DataFrame) -> list[Any]:
    """The rows of a frame with its columns as attributes."""
    return list(frame.itertuples(index=False))


def records_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame as mappings from column to value."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _read_each(paths: Iterable[str | Path], read: Callable[[str | Path], Content]) -> list[tuple[str | Path, Content]]:
    return [(path, read(path)) for path in paths]


def _check_together(contents: Sequence[tuple[str | Path, Mapping[str, object]]]) -> None:
    """Refuses files of different data sets, and files in a folder of another search, seed or slot."""
    # An empty slot has no data set.
    fingerprints = [fingerprint for _, content in contents if (fingerprint := content.get("dataset_fingerprint"))]
    for path, content in contents:
        if content.get("dataset_fingerprint"):
            check_provenance(path, content, {"dataset_fingerprint": fingerprints[0]})
        below = r"(?:slot_(?P<slot>\d+)/training_(?P<training_seed>\d+)/)?"
        folders = f"search|{STANDARD}|{ADVERSARIAL}"
        if match := re.search(rf"\b({folders})/([^/]+)/seed_(?P<seed>\d+)/{below}", Path(path).as_posix()):
            numbers = {name: int(number) for name, number in match.groupdict().items() if number}
            where: dict[str, object] = {"search": match[2], **numbers}
            where |= {} if match[1] == "search" else {"adversarial": match[1] == ADVERSARIAL}
            check_provenance(path, content, where)


def _frame(rows: Iterable[Mapping[str, object]], types: Mapping[str, str], *, by: list[str]) -> pd.DataFrame:
    table = pd.DataFrame([{name: row.get(name) for name in types} for row in rows], columns=list(types))
    return table.astype(dict(types)).sort_values(by, kind="stable").reset_index(drop=True)


def _cells(paths: Iterable[str | Path]) -> list[Row]:
    rows: list[Row] = []
    for path in paths:
        attributes = read_attributes(path, "adversarial_set")
        try:
            rows += [{"split": attributes["split"], **cell} for cell in attributes["attacked"]]
        except (KeyError, TypeError) as error:
            raise ArtifactError(f"{path}: no whole adversarial set (lacks {error}); make it anew") from None
    return rows


def _evaluation_rows(path: str | Path) -> Iterator[Row]:
    match = re.search(r".*\bsearch/([^/]+)/(?:seed_(\d+)/)?(?:generation_(\d+)/)?", Path(path).as_posix())
    search, seed, generation = match.groups() if match else ("", None, None)
    position = {"search": search, "seed": int(seed or 0), "generation": int(generation or 0)}
    return ({**dict(evaluation), **position} for evaluation in read_evaluations(path))


def _population_rows(population: Population) -> Iterator[Row]:
    shared = {name: getattr(population, name) for name in ("search", "seed", "generation")}
    shared["evaluations"] = len(population.seen)
    return ({**dict(each), **shared} for each in population.individuals)


def _front_rows(front: Front) -> Iterator[Row]:
    search = {"search": front.search, "seed": front.seed}
    return ({**dict(network), **search, "position": index} for index, network in enumerate(front.networks))
