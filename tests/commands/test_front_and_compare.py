"""`roco front` and `roco compare`."""

import json
import math
from pathlib import Path

import pytest
import yaml
from half_done_study import config_of, individual, write_population

from roco.artifacts import read_json, write_json
from roco.cli import main
from roco.config import load_config
from roco.layout import Layout
from roco.space.genome import Genome

FIRST, SECOND = (Genome.parse(f"{bits}-{'0' * 16}-{'0' * 16}") for bits in ("1" + "0" * 15, "111" + "0" * 13))


def entry(genome: Genome, flops: int, *, rank: int, status: str = "ok") -> dict:
    return {**individual(0.1, 0.25, flops, rank=rank, status=status), "genome": str(genome), "key": genome.key}


@pytest.fixture
def configfile(tmp_path: Path) -> str:
    """Of a study whose baseline has two networks and a failed one, the first of them retrained."""
    config = config_of(tmp_path / "results")
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(config.model_dump(mode="json")))
    third = Genome.parse(f"{'1' * 15}0-{'0' * 16}-{'0' * 16}")
    members = [entry(SECOND, 3_000_000, rank=0), entry(FIRST, 2_000_000, rank=0), entry(third, 9, rank=3)]
    write_population(config, "baseline", 1, [*members, entry(third, 1, rank=0, status="failed")], seen=4)
    robustness = {
        "status": "ok",
        "training_seed": 0,
        "key": FIRST.key,
        "genome": str(FIRST),
        "test_error": 0.2,
        "test_images": 10,
        "adversarial_breakdown": [{"images": 4, "errors": 1}],
        "white_box": {"images": 5, "attacks": {"pgd": {"correct": 0}}},
    }
    write_json(f"{Layout(config).retrained('baseline', 0, 0, 0)}/robustness.json", "robustness", robustness)
    return str(path)


def test_the_front_by_rising_flops(configfile: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["front", "baseline", "--configfile", configfile]) == 0
    heading, _, *rows = capsys.readouterr().out.splitlines()
    assert heading == "baseline, seed 0: 2 networks, generation 1 of 2"
    assert [row.split()[:2] for row in rows] == [[FIRST.key, "2.00"], [SECOND.key, "3.00"]]
    assert rows[0].split()[3:] == ["10.0", "%", "25.0", "%"]
    assert main(["front", "--json", "--configfile", configfile]) == 0
    baseline, roco = json.loads(capsys.readouterr().out)
    assert [network["key"] for network in baseline["networks"]] == [FIRST.key, SECOND.key]
    assert (roco["generation"], roco["networks"]) == (None, [])


def test_two_networks_side_by_side(
    configfile: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert main(["compare", FIRST.key[:6], str(SECOND), "--configfile", configfile]) == 0
    text = capsys.readouterr().out
    assert text.splitlines()[0].split() == [FIRST.key, SECOND.key]
    rows = {row[:28].strip(): " ".join(row[28:].split()) for row in text.splitlines()}
    # Eight of ten, three of four, none of five, by Wilson's formula.
    assert rows["test accuracy, retrained"] == "80.0 % (49.0 to 94.3) -"
    assert rows["adversarial test set"] == "75.0 % (30.1 to 95.4) -"
    assert rows["under pgd"] == "0.0 % (0.0 to 43.4) -"


def test_accuracies_are_means_over_retrainings(
    configfile: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = yaml.safe_load(Path(configfile).read_text())
    raw["retraining"]["seeds"] = [0, 5]
    Path(configfile).write_text(yaml.safe_dump(raw))
    layout = Layout(load_config(configfile))
    first = read_json(f"{layout.retrained('baseline', 0, 0, 0)}/robustness.json", "robustness")
    # Two of ten wrong, and four of ten. The other search found it as well: that is the same training.
    for search, test_error in (("baseline", 0.4), ("roco", 0.4)):
        path = f"{layout.retrained(search, 0, 0, 5)}/robustness.json"
        write_json(path, "robustness", first | {"training_seed": 5, "test_error": test_error})
    monkeypatch.setenv("COLUMNS", "100")
    assert main(["compare", FIRST.key[:6], str(SECOND), "--configfile", configfile]) == 0
    text = capsys.readouterr().out
    rows = {row[:28].strip(): " ".join(row[28:].split()) for row in text.splitlines()}
    # Seven of ten by Wilson's formula are 39.7 to 89.2; the mean of two draws is from 60 to 80.
    low, high = 0.7 - math.hypot(0.7 - 0.3968, 0.1), 0.7 + math.hypot(0.8922 - 0.7, 0.1)
    assert rows["test accuracy, retrained"] == f"70.0 % ({100 * low:.1f} to {100 * high:.1f}) -"
    assert rows["retrainings"] == "2 -"
    assert "95 % intervals over test images and retrainings" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["front", "elsewhere"], "elsewhere: expected one of baseline, roco"),
        (["front", "roco", "--seed", "7"], "seed 7: expected one of 0"),
        (["compare", "fff", "paper_roco"], "fff: expected a network's key in"),
        (["compare", "", "paper_roco"], "found several: "),
        (["compare", "01-2", "paper_roco"], "01-2: "),
    ],
)
def test_what_is_not_there_is_one_line(
    arguments: list[str], message: str, configfile: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--configfile", configfile]) == 2
    errors = capsys.readouterr().err
    assert message in errors
    assert errors.count("\n") == 1
