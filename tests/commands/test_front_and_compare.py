"""`roco front` and `roco compare`."""

import json
import re
from pathlib import Path

import pytest
import yaml
from half_done_study import config_of, individual, write_population
from made_records import attack, measured_network

from roco.cli import main
from roco.config import StudyConfig, load_config
from roco.retraining.records import write_robustness
from roco.space.genome import Genome
from roco.storage.artifacts import read_json, write_json
from roco.study.files import STANDARD, File
from roco.study.layout import Layout

FIRST, SECOND = (Genome.parse(f"{bits}-{'0' * 16}-{'0' * 16}") for bits in ("1" + "0" * 15, "111" + "0" * 13))


def entry(genome: Genome, flops: int, *, rank: int, status: str = "ok") -> dict:
    return {**individual(0.1, 0.25, flops, rank=rank, status=status), "genome": str(genome), "key": genome.key}


def robustness_file(config: StudyConfig, search: str, *, training_seed: int = 0) -> str:
    return Layout(config).path(
        File.ROBUSTNESS, retrained=STANDARD, search=search, seed=0, slot=0, training_seed=training_seed
    )


@pytest.fixture
def configfile(tmp_path: Path) -> str:
    """Of a study whose baseline has two networks and a failed one, the first of them retrained."""
    config = config_of(tmp_path / "results")
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(config.model_dump(mode="json")))
    third = Genome.parse(f"{'1' * 15}0-{'0' * 16}-{'0' * 16}")
    members = [entry(SECOND, 3_000_000, rank=0), entry(FIRST, 2_000_000, rank=0), entry(third, 9, rank=3)]
    write_population(config, "baseline", 1, [*members, entry(third, 1, rank=0, status="failed")], seen=4)
    robustness = measured_network(
        search="baseline",
        key=FIRST.key,
        genome=str(FIRST),
        test_images=10,
        right_images="1111111100",
        adversarial_sources={
            "source_index": [0, 3, 4, 7],
            "images": [2, 2, 2, 2],
            "right": [2, 2, 0, 2],
            "noise_right": [0, 0, 0, 0],
        },
        white_box={
            "images": 5,
            "clean_accuracy": 1.0,
            "right_images": "11111",
            "attacks": {"pgd": attack(accuracy=0.0, correct=0, robust_images="00000")},
        },
    )
    write_robustness(robustness_file(config, "baseline"), robustness)
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
    # Eight of ten and none of five, by Wilson's formula; six of eight from four sources, which are all right or all
    # wrong: no better than three of four, and with Student's t.
    assert rows["test accuracy, retrained"] == "80.0 % (49.0 to 94.3) -"
    low, high = map(float, re.findall(r"[\d.]+", rows["adversarial test set"])[1:])
    assert (low < 30.1, high > 95.4) == (True, True)
    assert rows["under pgd"] == "0.0 % (0.0 to 43.4) -"
    assert "95 % intervals over test images, of this training alone" in text


def test_accuracies_are_means_over_retrainings(
    configfile: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = yaml.safe_load(Path(configfile).read_text())
    raw["retraining"]["seeds"] = [0, 5]
    Path(configfile).write_text(yaml.safe_dump(raw))
    config = load_config(configfile)
    first = read_json(robustness_file(config, "baseline"), "robustness")
    # Two of ten wrong, and four of ten. The other search found it as well: that is the same training.
    for search in ("baseline", "roco"):
        path = robustness_file(config, search, training_seed=5)
        changed = {"training_seed": 5, "test_error": 0.4, "right_images": "1111110000"}
        write_json(path, "robustness", first | changed)
    monkeypatch.setenv("COLUMNS", "100")
    assert main(["compare", FIRST.key[:6], str(SECOND), "--configfile", configfile]) == 0
    text = capsys.readouterr().out
    rows = {row[:28].strip(): " ".join(row[28:].split()) for row in text.splitlines()}
    # Two trainings that are 20 points apart say next to nothing of a third: 12.7 times 10 points to either side.
    assert rows["test accuracy, retrained"] == "70.0 % (0.0 to 100.0) -"
    assert rows["retrainings"] == "2 -"
    assert "95 % intervals over retrainings and test images" in text


def test_a_network_measured_by_an_earlier_version_is_one_line(
    configfile: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = robustness_file(load_config(configfile), "baseline")
    content = read_json(path, "robustness")
    del content["right_images"]
    write_json(path, "robustness", content)
    assert main(["compare", FIRST.key[:6], str(SECOND), "--configfile", configfile]) == 2
    errors = capsys.readouterr().err
    assert f"{path}: not what 'robustness' holds (ValueError: ok.right_images: Field required); delete it" in errors
    assert errors.count("\n") == 1


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
