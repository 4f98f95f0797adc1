import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml
from fabricated_images import write_dataset
from fabricated_study import FabricatedStudy, config_of, fabricate
from markupsafe import escape

from roco.errors import ArtifactError
from roco.report.contents import FIGURES, TABLES
from roco.report.figures import figure_2, write_figures
from roco.report.figures.style import looks
from roco.report.numbers.power import seeds_needed
from roco.report.page.answer import answer
from roco.report.page.interactive import scripts
from roco.report.page.notes import folded
from roco.report.page.page import origin_of, render
from roco.report.page.timing import StepTime
from roco.report.page.totals import duration, scientific, totals
from roco.report.read.collect import collect
from roco.report.tables import write_tables
from roco.storage.artifacts import read_arrays, write_arrays

VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """Collects what a browser would load, identifiers, and whether elements nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.targets: list[str] = []
        self.names: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attributes:
            if name == "id":
                self.names.append(str(value))
            elif name in ("src", "srcset", "poster", "data", "action") or (
                name in ("href", "xlink:href") and tag != "a"
            ):
                self.loads.append(str(value))
            elif name == "href":
                self.targets.append(str(value))

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def text(made: SimpleNamespace) -> str:
    folder = made.folder
    return render(
        made.study,
        made.config,
        figures=folder / "figures",
        tables=folder / "tables",
        origin=origin_of(folder / "dataset.h5"),
    )


def test_page_loads_nothing_and_its_links_lead_somewhere(text: str) -> None:
    page = Page(text)
    assert page.open == []
    assert all(load.startswith(("#", "data:")) for load in page.loads)
    assert all(target.startswith(("#", "data:")) for target in page.targets)
    inside = [link[1:] for link in (*page.loads, *page.targets) if link.startswith("#")]
    assert inside
    assert set(inside) <= set(page.names)
    assert len(page.names) == len(set(page.names))
    # The scripts, which are not ours, are left to the browser's test; the policy forbids them to load anything.
    ours = text.replace(scripts(), "")
    assert not re.search(r"@import|url\((?!#)|https?://(?!www\.w3\.org/)", ours)
    assert "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:" in text


def test_page_has_every_table_and_figure_and_the_settings(text: str, made: SimpleNamespace) -> None:
    names = set(Page(text).names)
    assert {item.name for item in (*TABLES, *FIGURES)} - names == {"control", "outside_scatter"}
    assert "This study has nothing for: Searches against random search." in text
    for table in made.tables.values():
        # Of a table without rows, only what its notes say is shown.
        assert (table.html() in text) == bool(table.rows)
    settings = re.search(r"<pre>(.*?)</pre>", text, re.DOTALL)
    assert settings
    assert yaml.safe_load(settings[1])["search"]["population"] == 8
    assert "networks found by roco (the search with the robustness objective)" in text
    assert "loss is NaN" in text


def test_answer_says_what_the_table_of_differences_says(text: str, made: SimpleNamespace) -> None:
    numbers = made.tables["differences"].numbers
    main = numbers[numbers["main"]].iloc[0]
    beside = numbers[numbers["selection"] == main["selection"]].set_index("metric")
    for metric in (main["metric"], "adversarial_set", "pgd", "test"):
        row = beside.loc[metric]
        points = f"{abs(100 * row['difference']):.1f} points {'less' if row['difference'] < 0 else 'more'} accurate"
        low, high = (f"{100 * row[name]:+.1f}".replace("-", "−") for name in ("low", "high"))
        assert f"{points} (95 % interval {low} to {high}" in text
    assert "no verdict: 3 seeds of the 5 that it needs) within a radius of 4/255 (worst case over all attacks)" in text
    assert f"rests on {beside.loc['test', 'networks']} " in text
    deviation = f"{100 * main['deviation']:.1f} points (a rough guess, from 3 seeds)"
    needed = [seeds_needed(points, main["deviation"]) for points in (0.02, 0.05)]
    resolve = "{} seeds resolve a difference of 2 points in four studies of five, and {} seeds one of 5 points"
    resolve = resolve.format(*needed)
    assert f"Over seeds the difference has a standard deviation of {deviation}: with it {resolve}." in text


def test_the_first_screen_has_a_title_the_answer_and_the_picture(text: str) -> None:
    first = text[text.index("<header>") : text.index("</header>")]
    assert "<h1>Robust and compact networks: CIFAR-10</h1>" in first
    assert first.index('id="answer"') < first.index('<figure id="populations">')
    assert text.count('id="populations"') == 1


def test_long_notes_are_folded_behind_their_first_sentence(text: str, made: SimpleNamespace) -> None:
    notes = made.tables["differences"].notes
    section = text[text.index('<section id="differences">') : text.index('<section id="equal_accuracy">')]
    shown, below = section.split('<details class="notes">')
    first = str(escape(notes[0])).split(". ")[0] + "."
    assert f'<p class="notes">{first}</p>' in shown
    assert all(f"<li>{escape(note)}</li>" in below for note in notes[1:])
    assert folded(["Short.", "Also short."]).shown == ("Short.", "Also short.")
    assert folded([f"After Carlini et al. 0.5 of them. {'Long. ' * 50}"]).shown == (
        "After Carlini et al. 0.5 of them.",
    )


def test_what_jobs_took_is_told_where_it_was_measured(text: str, made: SimpleNamespace) -> None:
    assert "What the jobs took" not in text
    folder = made.folder
    origin = replace(
        origin_of(folder / "dataset.h5"), step_times=[StepTime("Retraining", "2", "3.0 min", "55 s", "9 MB", "4 Wh")]
    )
    page = render(made.study, made.config, figures=folder / "figures", tables=folder / "tables", origin=origin)
    rows = page[page.index('<table id="took">') :]
    assert re.findall(r"<td[^>]*>([^<]*)</td>", rows[: rows.index("</table>")]) == list(
        vars(origin.step_times[0]).values()
    )


def test_the_same_files_give_the_same_page_and_others_are_refused(text: str, made: SimpleNamespace) -> None:
    places = {"figures": made.folder / "figures", "tables": made.folder / "tables"}
    origin = origin_of(made.folder / "dataset.h5")
    assert render(made.study, made.config, origin=origin, **places) == text
    with pytest.raises(ArtifactError, match=r"differences\.csv: no such file"):
        render(made.study, made.config, origin=origin, figures=places["figures"], tables=made.folder / "nowhere")
    (made.folder / "edited").mkdir()
    for path in places["tables"].iterdir():
        (made.folder / "edited" / path.name).write_bytes(path.read_bytes().replace(b"0", b"1"))
    with pytest.raises(ArtifactError, match="not the table of this study"):
        render(made.study, made.config, origin=origin, figures=places["figures"], tables=made.folder / "edited")


def _sentences(folder: Path, study: FabricatedStudy) -> str:
    collected = collect(study.files)
    tables = {t.name: t.numbers for t in write_tables(collected, study.config, folder / "tables")}
    write_figures(collected, study.config, folder / "figures")
    write_dataset(folder / "dataset.h5")
    origin = origin_of(folder / "dataset.h5")
    page = render(collected, study.config, figures=folder / "figures", tables=folder / "tables", origin=origin)
    sentences = answer(tables["differences"], tables["table_3"], study.config)
    assert all(f"<p>{escape(sentence)}</p>" in page for sentence in sentences)
    assert Page(page).open == []
    assert page.count('<details class="network"') == len(set(tables["fronts"]["key"]) | _given(tables["white_box"]))
    assert ('id="networks-data"' in page) == (not collected.evaluations.empty)
    for name, numbers in tables.items():
        assert (f'<section id="{name}">' in page) == (not numbers.empty)
    return " ".join(sentences)


def _given(networks: pd.DataFrame) -> set[str]:
    return set(networks[networks["search"] == "references"].get("key", ()))


def test_one_seed_is_said_to_be_no_finding(tmp_path: Path) -> None:
    said = _sentences(tmp_path, fabricate(tmp_path, config_of(seeds=[0]), bonus=0.25))
    assert "no verdict: 1 seed of the 5 that it needs" in said
    assert "1 seed on digits, and one run of a search is not yet a finding; each network was trained once" in said
    # One training of each network says nothing of another one.
    assert "95 % interval" not in said
    assert "with a standard deviation of 3 points 20 seeds resolve a difference of 2 points" in said


def test_a_single_search_makes_no_comparison(tmp_path: Path) -> None:
    said = _sentences(tmp_path, fabricate(tmp_path, config_of({"alone": ["error", "flops"]}, seeds=[0]), networks=1))
    assert said.startswith("The retrained network of alone classifies ")
    assert "cannot say what an objective gains" in said


def test_own_images_go_by_the_name_of_their_file(tmp_path: Path) -> None:
    (tmp_path / "own.npz").touch()
    said = _sentences(tmp_path, fabricate(tmp_path, config_of(dataset={"name": "npz", "path": f"{tmp_path}/own.npz"})))
    assert "on own.npz" in said


def test_nothing_retrained_is_said(tmp_path: Path) -> None:
    study = FabricatedStudy(tmp_path, config_of(seeds=[0]))
    for name in ("baseline", "roco"):
        study.search(name, 0, networks=2, failed=2)
    assert "no seed has a retrained network of both" in _sentences(tmp_path, study)


def test_a_front_of_one_network_and_empty_slots_have_a_page(tmp_path: Path) -> None:
    said = _sentences(tmp_path, fabricate(tmp_path, config_of(seeds=[0]), networks=1))
    assert "not yet a finding" in said


def test_no_search_without_the_adversarial_objective_still_compares(tmp_path: Path) -> None:
    config = config_of({"full": ["error", "adversarial_error", "flops"], "robust": ["adversarial_error"]}, seeds=[0])
    assert "than those found by full" in _sentences(tmp_path, fabricate(tmp_path, config))


def test_a_study_of_no_files_has_a_page(tmp_path: Path) -> None:
    assert "Nothing can be said" in _sentences(tmp_path, FabricatedStudy(tmp_path, config_of()))


def test_totals_count_a_shared_network_once(made: SimpleNamespace) -> None:
    found = dict(totals(made.study, train_images=90))
    assert found["Networks trained in the searches"] == "192"
    assert found["Networks retrained"] == "36"
    assert found["Device time of the searches' trainings on cpu"] == "12.8 min"
    assert found["Device time of the retrainings"] == duration(31 * 30.0)
    trained = made.study.evaluations[made.study.evaluations["status"] == "ok"].drop_duplicates("key")
    assert (
        found["Multiply-adds of the searches' trainings"]
        == f"about {scientific(3 * 2 * 90 * float(trained['flops'].sum()))}"
    )


def test_totals_count_a_network_once_that_two_jobs_trained_at_the_same_moment(made: SimpleNamespace) -> None:
    evaluations = made.study.evaluations
    twice = pd.concat([evaluations, evaluations.assign(seconds=evaluations["seconds"] + 1)])
    assert totals(replace(made.study, evaluations=twice), train_images=90) == totals(made.study, train_images=90)


def test_numbers_for_people() -> None:
    assert [duration(seconds) for seconds in (12, 150, 7200)] == ["12 s", "2.5 min", "2.0 h"]
    assert scientific(2.13e12) == "2.1 × 10¹²"


def test_figures_are_the_same_bytes_again(made: SimpleNamespace, tmp_path: Path) -> None:
    write_figures(made.study, made.config, tmp_path)
    for name in (item.name for item in FIGURES):
        for suffix in ("svg", "csv", "png"):
            assert (tmp_path / f"{name}.{suffix}").read_bytes() == (
                made.folder / "figures" / f"{name}.{suffix}"
            ).read_bytes()


def test_figure_numbers_are_those_of_the_tables(made: SimpleNamespace) -> None:
    points = pd.read_csv(made.folder / "figures" / "figure_5.csv").query("kind == 'network'")
    table = made.tables["white_box"].numbers.set_index(["search", "seed", "slot"])
    for row in points.itertuples():
        assert row.accuracy == pytest.approx(table.loc[(row.search, row.seed, row.slot), "pgd"])
        assert row.low < row.accuracy < row.high
    assert len(points) == 31
    assert set(pd.read_csv(made.folder / "figures" / "figure_6.csv")["metric"]) == {"fgsm_0.1", "bim", "deepfool", "cw"}


def test_published_points_are_for_cifar10_only(made: SimpleNamespace, tmp_path: Path) -> None:
    drawing = (made.folder / "figures" / "figure_2.svg").read_text()
    assert "ProxylessNAS" in drawing
    config = config_of(dataset="digits")
    assert set(figure_2.numbers(made.study, config)["published"]) == {""}


def test_a_search_looks_the_same_in_every_figure(made: SimpleNamespace) -> None:
    look = looks(list(made.config.search.searches))
    assert (look["baseline"].colour, look["roco"].colour) == ("#0072b2", "#d55e00")
    # These are of targets, which belong to no search, or of networks of others, of which this study has none.
    for name in {item.name for item in FIGURES} - {"transfer_matrix", "examples", "outside_scatter"}:
        drawing = (made.folder / "figures" / f"{name}.svg").read_text()
        assert {"#0072b2", "#d55e00"} <= set(re.findall(r"#[0-9a-f]{6}", drawing)), name


def test_a_data_set_that_the_study_was_not_made_from_is_refused(made: SimpleNamespace, tmp_path: Path) -> None:
    sets = made.files.adversarial_sets
    assert sets
    assert origin_of(made.folder / "dataset.h5", beside=sets) == origin_of(made.folder / "dataset.h5")
    arrays, attributes = read_arrays(made.folder / "dataset.h5", "dataset")
    write_arrays(tmp_path / "dataset.h5", "dataset", arrays, attributes | {"fingerprint": "cd" * 32})
    with pytest.raises(ArtifactError, match=r"\.h5: expected dataset_fingerprint 'cdcd.*made for something else"):
        origin_of(tmp_path / "dataset.h5", beside=sets)
