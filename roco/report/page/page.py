"""The study as a single page: answer, tables, figures, how it was made. It loads no other file.

All numbers of the answer and of the tables are in the tables' CSV files.
"""

import base64
import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from roco.config import StudyConfig
from roco.data.sets import DATA_SETS
from roco.errors import ArtifactError
from roco.files import atomic, opened
from roco.report.contents import PICTURE, Item, figures_of, parts_of, tables_of
from roco.report.figures import figure_module
from roco.report.figures.style import INK
from roco.report.measures.paper import PUBLISHED_NETWORKS
from roco.report.numbers.format import whole
from roco.report.page.answer import answer
from roco.report.page.failures import failures
from roco.report.page.interactive import AXES, embedded, payload, read_networks, scripts
from roco.report.page.notes import Notes, folded
from roco.report.page.sections import Drawings, network_sections
from roco.report.page.timing import StepTime, step_times
from roco.report.page.totals import totals
from roco.report.read.collect import Study, dataset_facts
from roco.report.tables import make_tables
from roco.report.tables.table import Table
from roco.report.tables.table_2 import smaller_than_paper
from roco.runtime import versions
from roco.storage.artifacts import check_provenance, read_attributes


@dataclass(frozen=True)
class Origin:
    """The origin of the numbers.

    Attributes:
        versions: of Python and the packages, by name.
        dataset: facts about the data set by their titles: name, fingerprint, notes.
        train_images: the number of training images; None if unknown.
        step_times: the durations of the jobs, by step.
    """

    versions: Mapping[str, str]
    dataset: Mapping[str, str]
    train_images: int | None
    step_times: Sequence[StepTime] = ()


def origin_of(
    dataset_path: str | Path, *, beside: Iterable[str | Path] = (), benchmarks: str | Path | None = None
) -> Origin:
    """The versions of this environment, and facts from the data set's file.

    Args:
        dataset_path: the file.
        beside: adversarial sets, which must have been made from this data set.
        benchmarks: the folder of Snakemake's measurements of jobs, which need not exist.

    Raises:
        ArtifactError: a file is missing or damaged, or the sets were made from another data set.
    """
    attributes, images = dataset_facts(dataset_path)
    for path in beside:
        of_set = read_attributes(path, "adversarial_set")
        check_provenance(path, of_set, {"dataset_fingerprint": attributes["fingerprint"]})
    counts = ", ".join(f"{whole(count)} {split}" for split, count in images.items())
    facts = {"Data set": f"{attributes['name']}, {len(attributes['class_names'])} classes; images: {counts}"}
    facts |= {"Data set's fingerprint (SHA-256)": attributes["fingerprint"]}
    if attributes["notes"]:
        facts["Data set's preparation"] = "; ".join(attributes["notes"])
    return Origin(versions(), facts, images["train"], step_times(benchmarks) if benchmarks else ())


@dataclass(frozen=True)
class View:
    """A table or figure in the page.

    Attributes:
        shown: the table, or the figure's drawing.
        notes: below it.
        links: its files as label, name and content.
        empty: whether the study has no numbers for it.
    """

    item: Item
    shown: Table | Markup
    notes: Notes
    links: tuple[tuple[str, str, str], ...]
    empty: bool


def render(study: Study, config: StudyConfig, *, figures: str | Path, tables: str | Path, origin: Origin) -> str:
    """The page as HTML.

    Args:
        study: the study.
        config: its configuration.
        figures: the folder with the figures' SVG and CSV files.
        tables: the folder with the tables' files, which must be of this study.
        origin: versions and data set.

    Raises:
        ArtifactError: a figure or table is missing, or a table's CSV file is not of this study.
    """
    made = make_tables(study, config)
    for table in made:
        if _text(Path(tables) / f"{table.name}.csv") != table.csv():
            raise ArtifactError(f"{tables}/{table.name}.csv: not the table of this study; delete it and run again")
    by_name = {table.name: table for table in made}
    sentences = answer(by_name["differences"].numbers, by_name["table_3"].numbers, config)
    views = {item.name: _figure_view(item, Path(figures)) for item in figures_of(config)}
    views |= {item.name: _table_view(item, by_name[item.name]) for item in tables_of(config)}
    drawings = Drawings()
    networks = read_networks(_text(Path(figures) / f"{PICTURE.name}.csv"))
    return template("report.html.j2").render(
        config=config,
        data_set=_data_set(config),
        sentences=sentences,
        parts=[
            (part, *([views[item.name] for item in items] for items in (part.tables, part.figures)))
            for part in parts_of(config)
        ],
        sections=network_sections(by_name, config, drawings),
        totals=totals(study, train_images=origin.train_images),
        failures=failures(study),
        published=PUBLISHED_NETWORKS if config.dataset.name == "cifar10" else (),
        budget=smaller_than_paper(by_name["table_2"].numbers),
        origin=origin,
        settings=yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True),
        interactive=_interactive(networks, config, drawings),
        picture=views[PICTURE.name],
        symbols=Markup(drawings.markup),
    )


def _data_set(config: StudyConfig) -> str:
    """The title of the data set; for a user's own, the name of its file or folder."""
    known = DATA_SETS[config.dataset.name]
    return config.dataset.title if known.users_own else known.title


def template(name: str) -> Template:
    """A template of a page."""
    environment = Environment(
        loader=PackageLoader("roco.report.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


@dataclass(frozen=True)
class Interactive:
    """The interactive chart: its axes (names and titles), its last generation, its data as JSON, and its scripts."""

    axes: tuple[tuple[str, str], ...]
    generations: int
    data: Markup
    scripts: Markup


def _interactive(networks: pd.DataFrame, config: StudyConfig, drawings: Drawings) -> Interactive | None:
    """The interactive chart; None if no search has evaluated a network."""
    if networks.empty:
        return None
    genomes = dict(zip(networks["key"], networks["genome"], strict=True))
    phases = {key: [symbol.name for symbol in drawings.of(genome)] for key, genome in genomes.items()}
    axes = tuple((name, axis.title) for name, axis in AXES.items())
    data = Markup(embedded(payload(networks, config, phases=phases)))
    return Interactive(axes, int(networks["generation"].max()), data, Markup(scripts()))


def write_page(
    study: Study, config: StudyConfig, path: str | Path, *, figures: str | Path, tables: str | Path, origin: Origin
) -> None:
    """Writes the page; its arguments are those of `render`.

    Raises:
        ArtifactError: as `render`.
    """
    text = render(study, config, figures=figures, tables=tables, origin=origin)
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def _text(path: Path) -> str:
    with opened(path) as file:
        content = file.read()
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise ArtifactError(f"{path}: no UTF-8 text; delete it and run the same command again") from None


def _download(name: str, text: str, kind: str) -> tuple[str, str, str]:
    """A link with the file in it: label, file name, content."""
    content = base64.b64encode(text.encode()).decode()
    return name.rsplit(".", 1)[1].upper(), name, f"data:{kind};base64,{content}"


def _table_view(item: Item, table: Table) -> View:
    links = (
        _download(f"{table.name}.csv", table.csv(), "text/csv"),
        _download(f"{table.name}.md", table.markdown(), "text/markdown"),
        _download(f"{table.name}.tex", table.latex(), "application/x-tex"),
    )
    return View(item, table, folded(table.notes), links, empty=table.numbers.empty)


def _figure_view(item: Item, folder: Path) -> View:
    name = item.name
    drawing, numbers = _text(folder / f"{name}.svg"), _text(folder / f"{name}.csv")
    links = (
        _download(f"{name}.svg", drawing, "image/svg+xml"),
        _download(f"{name}.csv", numbers, "text/csv"),
    )
    # The drawing is matplotlib's own output, which escapes text.
    svg = Markup(inline_svg(drawing, name, item.title))
    return View(item, svg, folded([figure_module(item).CAPTION]), links, empty=numbers.count("\n") <= 1)


def inline_svg(drawing: str, name: str, title: str) -> str:
    """An SVG file as an element of a page: without prolog, with unique identifiers, the page's text colour, a label."""
    body = drawing[drawing.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = re.sub(r'(href="|url\()#', rf"\1#{name}-", body)
    body = body.replace(INK, "currentColor")
    return body.replace("<svg", f'<svg role="img" aria-label="{html.escape(title)}"', 1)
