import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roco.report.figures.drawing import draw_network
from roco.space.genome import Genome, bits_per_phase
from roco.space.settings import PUBLISHED_GENOMES

SVG = "{http://www.w3.org/2000/svg}"


def draw(text: str, path: Path, *, channels: int = 16, title: str = "") -> bytes:
    draw_network(Genome.parse(text).phenotype, path, channels=channels, title=title)
    return path.read_bytes()


def texts(content: bytes) -> list[str]:
    return ["".join(element.itertext()) for element in ET.fromstring(content).iter(f"{SVG}text")]


def arrows(content: bytes) -> tuple[int, int]:
    """How many arrows there are, and how many of them are dashed."""
    kinds = [element.get("class") for element in ET.fromstring(content).iter(f"{SVG}path")]
    return len(kinds), kinds.count("residual")


def test_equal_networks_have_equal_bytes_and_others_do_not(tmp_path: Path) -> None:
    first = draw("1010-0000", tmp_path / "a.svg")
    assert draw("1010-0000", tmp_path / "b.svg") == first
    # The same phenotype under another text.
    assert draw("0000-1010", tmp_path / "c.svg") == first
    assert draw("1011-0000", tmp_path / "d.svg") != first
    assert draw("0110-0000", tmp_path / "e.svg") != first
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["a.svg", "b.svg", "c.svg", "d.svg", "e.svg"]


def test_every_node_of_every_active_phase_is_there(tmp_path: Path) -> None:
    genome = Genome.parse(PUBLISHED_GENOMES["paper_roco"])
    found = texts(draw(str(genome), tmp_path / "a.svg", title=genome.key))
    expected = [genome.key, *(f"phase {number + 1}: {16 * 2**number} channels" for number in range(3))]
    for graph in genome.phenotype.phases:
        expected += ["in", "out", *(str(node + 1) for node in range(len(graph.inputs)))]
    assert sorted(found) == sorted(expected)


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_any_genome_is_drawn(data: st.DataObject) -> None:
    phases, nodes = data.draw(st.integers(1, 5)), data.draw(st.integers(2, 8))
    length = phases * bits_per_phase(nodes)
    bits = data.draw(st.lists(st.integers(0, 1), min_size=length, max_size=length))
    genome = Genome.from_bits(bits, phases=phases, nodes=nodes)
    with tempfile.TemporaryDirectory() as folder:
        content = draw(str(genome), Path(folder) / "a.svg")
    graphs = genome.phenotype.phases
    labels = [text for text in texts(content) if text.isdecimal()]
    assert sorted(labels) == sorted(str(node + 1) for graph in graphs for node in range(len(graph.inputs)))
    from_input = sum(not sources for graph in graphs for sources in graph.inputs)
    edges = sum(graph.edges + len(graph.outputs) + graph.residual for graph in graphs) + from_input
    assert arrows(content) == (edges, sum(graph.residual for graph in graphs))


@pytest.mark.parametrize(
    ("text", "edges", "residuals"),
    # in -> 1 -> 2 -> 3 -> out; in -> 1, 2 -> 3 -> out; both phases.
    [("1010", 4, 0), ("1011", 5, 1), ("0110", 5, 0), ("0111-1011", 11, 2)],
)
def test_every_edge_is_an_arrow_and_the_residual_a_dashed_one(
    text: str, edges: int, residuals: int, tmp_path: Path
) -> None:
    assert arrows(draw(text, tmp_path / "a.svg")) == (edges, residuals)


def test_widths_follow_the_first(tmp_path: Path) -> None:
    found = texts(draw("1010-0000-0110", tmp_path / "a.svg", channels=5))
    assert {"phase 1: 5 channels", "phase 2: 10 channels"} <= set(found)
    assert not any(text.startswith("phase 3") for text in found)


def test_no_active_phase_is_said(tmp_path: Path) -> None:
    assert "no active phase:" in " ".join(texts(draw("0001-0000", tmp_path / "a.svg")))


def test_a_name_that_ends_in_png_gives_one_and_any_other_an_svg(tmp_path: Path) -> None:
    assert draw("1010", tmp_path / "a.png").startswith(b"\x89PNG")
    assert draw("1010", tmp_path / "b.PNG") == (tmp_path / "a.png").read_bytes()
    assert draw("1010", tmp_path / "a.drawing").startswith(b"<svg")
