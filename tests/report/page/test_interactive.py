import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace

import pytest
from fabricated_study import config_of, fabricate

from roco.report.figures.drawing import phase_symbol
from roco.report.page.interactive import AXES, embedded, payload, read_networks
from roco.report.page.sections import Drawings, network_sections
from roco.report.read.collect import StudyFiles, collect
from roco.report.tables import make_tables
from roco.space.genome import Genome
from roco.space.settings import PUBLISHED_GENOMES
from roco.storage.artifacts import read_json


@pytest.fixture(scope="module")
def networks(made: SimpleNamespace):
    return read_networks((made.folder / "figures" / "populations.csv").read_text())


def test_every_network_is_there_once_with_its_first_and_last_generation(made: SimpleNamespace, networks) -> None:
    raw: dict[tuple[str, int, str], dict] = {}
    for path in made.files.shards:
        searches = ["baseline", "roco"] if "/initial/" in str(path) else [path.parts[-5]]
        generation, seed = (int(path.parts[place].split("_")[1]) for place in (-3, -4))
        for record in read_json(path, "evaluations"):
            if record["status"] == "ok":
                for search in searches:
                    found = raw.setdefault((search, seed, record["key"]), {**record, "generation": generation})
                    found["generation"] = min(found["generation"], generation)
    last: dict[tuple[str, int, str], int] = {}
    for path in made.files.populations:
        content = read_json(path, "population")
        for one in content["individuals"]:
            place = (content["search"], content["seed"], one["key"])
            last[place] = max(last.get(place, 0), content["generation"])
    fronts = {
        (content["search"], content["seed"], one["key"])
        for content in (read_json(path, "front") for path in made.files.fronts)
        for one in content["networks"]
    }
    assert len(networks) == len(raw)
    for row in networks.itertuples():
        place = (row.search, row.seed, row.key)
        assert row.generation == raw[place]["generation"]
        assert (row.error, row.flops, row.genome) == tuple(raw[place][name] for name in ("error", "flops", "genome"))
        assert (None if row.last != row.last else row.last) == last.get(place)
        assert row.front == (place in fronts)


def test_the_page_gets_the_numbers_of_the_csv_and_nothing_that_ends_its_script(made, networks) -> None:
    content = json.loads(embedded(payload(networks, made.config, phases={"</script>": ["phase-0"]})))
    assert "</script" not in embedded(payload(networks, made.config, phases={"</script>": ["phase-0"]}))
    assert len(content["rows"]) == len(networks)
    for row, expected in zip(content["rows"], networks.itertuples(), strict=True):
        found = dict(zip(content["columns"], row, strict=True))
        for name in ("search", "key", "generation", "front", *AXES):
            assert found[name] == getattr(expected, name)
        assert found["last"] is None or found["last"] == expected.last
    assert content["axes"]["flops"]["scale"]["type"] == "log"
    assert content["axes"]["error"]["scale"]["type"] == "linear"


def test_the_chart_has_the_colours_of_the_figures(made: SimpleNamespace, networks) -> None:
    chart = payload(networks, made.config, phases={})["chart"]
    for channel in ("fill", "stroke"):
        scale = chart["encoding"][channel]["scale"]
        assert dict(zip(scale["domain"], scale["range"], strict=True)) == {"baseline": "#0072b2", "roco": "#d55e00"}


def test_a_phase_is_a_symbol_with_its_nodes_and_edges() -> None:
    for graph in Genome.parse(PUBLISHED_GENOMES["paper_roco"]).phenotype.phases:
        symbol = phase_symbol(graph, "phase-1")
        root = ET.fromstring(symbol.markup)
        assert root.get("id") == "phase-1"
        width, height = map(float, root.get("viewBox", "").split()[2:])
        assert (width, height) == (symbol.width, pytest.approx(symbol.height, rel=1e-3))
        labels = sorted(str(element.text) for element in root.iter("text"))
        assert labels == [*map(str, range(1, len(graph.inputs) + 1)), "in", "out"]
        from_input = sum(not sources for sources in graph.inputs)
        lines = list(root.iter("path"))
        assert len(lines) == graph.edges + from_input + len(graph.outputs) + graph.residual
        assert sum(line.get("class") == "residual" for line in lines) == graph.residual
        # All within the box.
        numbers = [float(n) for e in root.iter("circle") for n in (e.get("cx"), e.get("cy"))]
        assert all(0 < x < width and 0 < y < height for x, y in zip(numbers[::2], numbers[1::2], strict=True))


def test_equal_phases_are_drawn_once() -> None:
    drawings = Drawings()
    first = drawings.of("1010-0000-1010")
    assert [symbol.name for symbol in first] == ["phase-0", "phase-0"]
    assert [symbol.name for symbol in drawings.of("1011-1010-0000")] == ["phase-1", "phase-0"]
    assert drawings.of("0000-0001-0000") == []
    assert re.findall(r'<symbol id="([^"]+)"', drawings.markup) == ["phase-0", "phase-1"]


def test_sections_are_the_fronts_and_the_given_networks(made: SimpleNamespace) -> None:
    sections = network_sections(made.tables, made.config, Drawings())
    fronts = made.tables["fronts"].numbers
    assert [one.key for one in sections[:-1]] == list(dict.fromkeys(fronts.sort_values(["flops", "key"])["key"]))
    assert (sections[-1].key, sections[-1].summary) == ("0123456789e1", "paper_roco, references")
    assert sections[-1].searched.rows == ()
    numbers = made.tables["white_box"].numbers.set_index("key")
    for one in sections:
        row = numbers.loc[one.key]
        place = f"{row['search']}/seed_{row['seed']}/slot_{row['slot']:03d}/training_0"
        if row["status"] == "ok":
            assert one.retrained.rows[0][-1] == f"{row['cw_median_l2']:.3g} ({100 * row['cw']:.1f})"
            white_box = read_json(made.folder / f"retrained/{place}/robustness.json", "robustness")["white_box"]
            held = [found.count("1") / white_box["images"] for found in white_box["curve"]["robust_images"]]
            assert one.curve.rows[0][2:] == tuple(f"{100 * share:.1f}" for share in held)
            assert one.curve.header[:2] == ("Found by", "clean")
            (line,) = ET.fromstring(one.chart).findall("polyline")
            heights = [float(corner.split(",")[1]) for corner in line.get("points").split()]
            # From clean images at the left to the largest radius; 96 pixels are 100 points.
            assert heights[1:] == pytest.approx([8 + 96 * (1 - share) for share in held], abs=0.05)
            assert one.weights == (f"retrained/{place}/network.safetensors",)
        else:
            assert (one.failures, one.weights) == ((f"{row['search']} seed {row['seed']}: loss is NaN",), ())


def test_a_study_without_networks_has_no_sections() -> None:
    config = config_of()
    tables = {table.name: table for table in make_tables(collect(StudyFiles()), config)}
    assert network_sections(tables, config, Drawings()) == []


def test_widths_of_a_list_are_in_headings_and_tables(tmp_path: Path) -> None:
    widths = {"evaluation": {"channels": [8, 8, 9]}, "retraining": {"channels": [32, 40, 50]}}
    config = config_of(seeds=[0], **widths)
    study = fabricate(tmp_path, config, networks=2)
    for path in list(study.paths["robustness"]):
        content = read_json(path, "robustness")
        if content["status"] == "ok":
            study.paths["robustness"].remove(path)
            study.slot(content | {"channels": [32, 40, 50]})
    tables = {table.name: table for table in make_tables(collect(study.files), config)}
    for one in network_sections(tables, config, Drawings()):
        count = len(Genome.parse(one.genome).phenotype.phases)
        headings = [f"{width} channels" for width in (32, 40, 50)]
        assert [phase.heading for phase in one.phases] == headings[:count]
        assert one.searched.title == "In the search, at 8, 8, 9 channels"
        assert one.retrained.title.startswith("Retrained, at 32, 40, 50 channels; ")
    assert set(tables["white_box"].numbers["channels"]) == {"32, 40, 50"}
    settings = dict(row[:2] for row in tables["table_2"].rows)
    assert settings["initial channels when retrained"] == "32, 40, 50 (of each phase)"
    assert "(32, 40, 50 channels)" in tables["table_5"].markdown()
