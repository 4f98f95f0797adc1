import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from roco import __version__
from roco.cli import main
from roco.space.complexity import complexity
from roco.space.genome import Genome
from roco.space.settings import PUBLISHED_GENOMES

PUBLISHED = [
    ("paper_roco", "da0bfc8200a0", 338_394, 32_364_042),
    ("paper_baseline", "b93607386e6d", 327_418, 34_383_626),
]


@pytest.mark.parametrize(("name", "key", "parameters", "flops"), PUBLISHED)
def test_json_has_the_published_numbers(
    name: str, key: str, parameters: int, flops: int, capsys: pytest.CaptureFixture[str]
) -> None:
    for genome in (name, PUBLISHED_GENOMES[name]):
        assert main(["describe", genome, "--json"]) == 0
        output, errors = capsys.readouterr()
        facts = json.loads(output)
        assert errors == ""
        assert (facts["key"], facts["parameters"], facts["flops"]) == (key, parameters, flops)
        assert facts["genome"] == PUBLISHED_GENOMES[name]
        phenotype = Genome.parse(facts["genome"]).phenotype
        assert [phase["channels"] for phase in facts["phases"]] == [16, 32, 64]
        for phase, graph in zip(facts["phases"], phenotype.phases, strict=True):
            assert phase["inputs"] == [list(sources) for sources in graph.inputs]
            assert (phase["nodes"], phase["edges"]) == (len(graph.inputs), sum(map(len, graph.inputs)))
            assert phase["residual"] == graph.residual


@pytest.mark.parametrize(("name", "key", "parameters", "flops"), PUBLISHED)
def test_text_says_the_same(
    name: str, key: str, parameters: int, flops: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["describe", name]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"key         {key}" in lines
    assert f"parameters  {parameters:,}" in lines
    assert lines[-1].startswith(f"FLOPs       {flops:,} multiply-adds for an image of 32x32")


def test_text_names_nodes_and_their_inputs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", "0111-0000", "--channels", "4"]) == 0
    assert [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()[2:7]] == [
        "phase 1 4 channels, 3 nodes, 2 edges, depth 2, residual",
        "in > 1 2 > 3 > out",
        "node 1 <- the phase's input",
        "node 2 <- the phase's input",
        "node 3 <- node 1, node 2",
    ]
    assert main(["describe", "0001-0000"]) == 0
    assert "none is active" in capsys.readouterr().out


def test_a_width_for_each_phase(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawing = tmp_path / "network.svg"
    assert main(["describe", "10-00-11", "--channels", "6,9,5", "--json", "--svg", str(drawing)]) == 0
    facts = json.loads(capsys.readouterr().out)
    # The second phase is inactive: the third takes its width.
    assert ([phase["channels"] for phase in facts["phases"]], facts["channels"]) == ([6, 9], [6, 9, 5])
    assert "phase 2: 9 channels" in drawing.read_text()
    cost = complexity(Genome.parse("10-11").phenotype, channels=[6, 9], classes=10, stem_padding=0, image_size=32)
    assert (facts["parameters"], facts["flops"]) == (cost.parameters, cost.flops)
    assert main(["describe", "10-00-11", "--channels", "6,9"]) == 2
    assert "--channels: expected a width for each of 3 phases, got 2" in capsys.readouterr().err


def test_dense_nodes_are_described(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", "11", "--channels", "6", "--classes", "3", "--image-size", "16", "--node", "dense"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "nodes       dense" in lines
    cost = complexity(Genome.parse("11").phenotype, channels=6, classes=3, stem_padding=0, image_size=16, node="dense")
    assert f"parameters  {cost.parameters:,}" in lines


def test_options_change_the_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    def facts(*options: str) -> tuple[int, int]:
        assert main(["describe", "1011-0110", "--json", *options]) == 0
        found = json.loads(capsys.readouterr().out)
        return found["parameters"], found["flops"]

    plain = facts()
    assert facts("--channels", "16", "--image-size", "32", "--classes", "10", "--stem-padding", "0") == plain
    # The last phase has 32 channels: 33 weights a class.
    assert facts("--classes", "12") == (plain[0] + 66, plain[1] + 66)
    for options in (("--image-size", "40"), ("--stem-padding", "1")):
        parameters, flops = facts(*options)
        assert parameters == plain[0]
        assert flops > plain[1]
    assert facts("--channels", "8")[0] < plain[0]


@pytest.mark.parametrize(
    ("genome", "message"),
    [
        ("0111-01x1", "expected only 0, 1 and '-', got 'x'"),
        ("0111-01\n1", "expected only 0, 1 and '-'"),
        ("01110", "expected n(n-1)/2+1 bits in a group"),
        ("0111-10", "phase 2: expected 4 bits for 3 nodes, got 2"),
        ("paper", "expected only 0, 1 and '-'"),
        ("", "expected n(n-1)/2+1 bits in a group"),
        # Twelve nodes would take hours to bring into canonical form.
        ("1" * 67, "expected n(n-1)/2+1 bits in a group for 2 to 8 nodes"),
        ("-".join(["10"] * 6), "--image-size: too small for a network of 6 active phases"),
    ],
)
def test_a_malformed_genome_gives_exit_code_2_and_one_line(
    genome: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["describe", genome]) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.startswith("roco: ")
    assert message in errors
    assert errors.count("\n") == 1
    assert errors.endswith("\n")


def test_an_image_is_large_enough_as_long_as_a_pixel_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    # 18 - 2 = 16 pixels are halved four times before the fifth active phase; inactive ones do not count.
    five = "-".join(["10"] * 5)
    assert main(["describe", f"{five}-00-01", "--image-size", "18", "--json"]) == 0
    assert main(["describe", five, "--image-size", "17", "--stem-padding", "1", "--json"]) == 0
    assert main(["describe", five, "--image-size", "17", "--json"]) == 2
    assert "too small for a network of 5 active phases" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "required"),
        (["explain"], "invalid choice"),
        (["describe"], "required"),
        (["describe", "10", "--channels", "0"], "expected a whole number from 1 on, got '0'"),
        (["describe", "10", "--channels", "1.5"], "expected a whole number from 1 on, got '1.5'"),
        (["describe", "10", "--classes", "-3"], "expected a whole number from 1 on, got '-3'"),
        (["describe", "10", "--image-size", "15"], "expected 16 or more, got '15'"),
        (["describe", "10", "--stem-padding", "2"], "invalid choice"),
        (["describe", "10", "--colour"], "unrecognized arguments"),
    ],
)
def test_wrong_options_give_exit_code_2(options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(options)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_a_drawing_has_the_same_bytes_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [tmp_path / name for name in ("a.svg", "b.svg", "without_ending")]
    for path in paths:
        assert main(["describe", "paper_roco", "--svg", str(path)]) == 0
        assert f"drawn into {path}" in capsys.readouterr().err
    assert paths[0].read_bytes() == paths[1].read_bytes() == paths[2].read_bytes()
    assert "da0bfc8200a0" in paths[0].read_text()


def test_a_drawing_that_cannot_be_written_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["describe", "10", "--svg", str(tmp_path / "file" / "a.svg")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_version_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"roco {__version__}\n"


def test_the_module_runs_and_never_imports_torch() -> None:
    code = "import sys, roco.cli; code = roco.cli.main(['describe', 'x']); sys.exit(code + ('torch' in sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert found.returncode == 2
    assert found.stderr.count("\n") == 1


def test_a_reader_who_stops_early_leaves_no_traceback() -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "roco.cli", "describe", "paper_roco"]
    found = subprocess.run(command, check=False, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert (found.returncode, found.stderr) == (141, "")


def test_an_interruption_leaves_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("roco.commands.describe.description_of", interrupted)
    assert main(["describe", "paper_roco"]) == 130


def test_commands_are_imported_without_what_is_slow() -> None:
    slow = ("torch", "pandas", "pymoo", "matplotlib")
    code = f"import sys, roco.cli; roco.cli.make_parser(); print([name for name in {slow} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout == "[]\n"
