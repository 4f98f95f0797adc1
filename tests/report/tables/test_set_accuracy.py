"""Set accuracy given that the clean image is right, recomputed from the files of the study and by hand."""

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from fabricated_study import FabricatedStudy, config_of, fabricate
from scipy import stats

from roco.report.read.collect import collect
from roco.report.tables.set_accuracy import SET_ACCURACY
from roco.report.tables.set_accuracy import make as set_accuracy
from roco.storage.artifacts import read_json


def counted(slot: dict) -> tuple[int, int, int]:
    """Adversarial images whose clean image is right: all of them, right ones, and right ones under noise."""
    sources = slot["adversarial_sources"]
    before = [slot["right_images"][place] == "1" for place in sources["source_index"]]
    found = zip(before, sources["images"], sources["right"], sources["noise_right"], strict=True)
    rows = [counts for right, *counts in found if right]
    return tuple(map(sum, zip(*rows, strict=True)))


def test_shares_are_those_of_the_files(made: SimpleNamespace) -> None:
    slots = [slot for path in made.files.robustness if (slot := read_json(path, "robustness"))["status"] == "ok"]
    lightest = {
        (search, seed): min(
            (s for s in slots if (s["search"], s["seed"]) == (search, seed)), key=lambda s: (s["flops"], s["slot"])
        )
        for search in ("baseline", "roco")
        for seed in range(3)
    }
    table = made.tables["set_accuracy"]
    assert list(table.numbers.columns) == SET_ACCURACY
    numbers = table.numbers[table.numbers["top"] == 1].set_index(["search", "reference", "quantity"])
    given, noise = (
        {place: counted(slot)[index] / counted(slot)[0] for place, slot in lightest.items()} for index in (1, 2)
    )
    assert any(counted(slot)[0] < 115 for slot in lightest.values())
    for name, expected in (("given_right", given), ("noise_given_right", noise)):
        row = numbers.loc["roco", "", name]
        assert row["value"] == pytest.approx(np.mean([expected["roco", seed] for seed in range(3)]))
        assert row["low"] < row["value"] < row["high"] <= 1
    lost = {place: noise[place] - given[place] for place in given}
    difference = numbers.loc["roco", "baseline", "lost_beyond_noise"]
    gains = [lost["roco", seed] - lost["baseline", seed] for seed in range(3)]
    assert difference["value"] == pytest.approx(np.mean(gains))
    # The seeds' own interval at the least: what the images move alike in all of them comes to it.
    half = stats.t.ppf(0.975, 2) * np.std(gains, ddof=1) / math.sqrt(3)
    assert difference["high"] - difference["value"] >= half * (1 - 1e-9)
    # The first column is Table III's.
    third = made.tables["table_3"].numbers.set_index(["search", "top"])["accuracy"]
    everything = table.numbers[table.numbers["quantity"] == "all"].set_index(["search", "reference", "top"])["value"]
    for search in ("baseline", "roco"):
        for top in (1, 3, 5):
            assert everything[search, "", top] == pytest.approx(third[search, top])


def test_one_network_of_one_seed_by_hand(tmp_path: Path) -> None:
    config = config_of({"alone": ["error"]}, seeds=[0])
    study = FabricatedStudy(tmp_path, config)
    study.search("alone", 0, networks=1)
    [path] = [one for one in study.paths["robustness"] if read_json(one, "robustness")["status"] == "ok"]
    study.paths["robustness"].remove(path)
    sources = {"source_index": [1, 3, 4], "images": [4, 2, 2], "right": [2, 1, 0], "noise_right": [4, 1, 0]}
    content = read_json(path, "robustness") | {"adversarial_sources": sources, "right_images": "01010" + "1" * 495}
    study.slot(content)
    numbers = set_accuracy(collect(study.files), config).numbers
    numbers = numbers[numbers["top"] == 1].set_index("quantity")
    # The third source is wrong before any change: 3 of 6 are right, 5 of 6 under noise.
    assert numbers["value"].to_dict() == pytest.approx(
        {"all": 3 / 8, "given_right": 1 / 2, "noise_given_right": 5 / 6, "lost_beyond_noise": 1 / 3}
    )
    # Both sources lose a half: the images say nothing of how far the share moves. Under noise they lose 0 and 1 of 6.
    assert math.isnan(numbers.loc["given_right", "low"])
    error = math.sqrt(2 * ((4 - 4 * 5 / 6) ** 2 + (1 - 2 * 5 / 6) ** 2)) / 6
    assert numbers.loc["noise_given_right", "low"] == pytest.approx(max(0, 5 / 6 - stats.t.ppf(0.975, 1) * error))
    assert numbers.loc["noise_given_right", "high"] == 1
    alone = "test images, of these networks alone"
    assert set(numbers["basis"]) == {"in Table III", alone, f"{alone}, which all agree"}


def test_a_network_that_is_right_on_no_clean_image_has_no_share(tmp_path: Path) -> None:
    config = config_of(seeds=[0])
    study = fabricate(tmp_path, config, networks=1)
    for path in list(study.paths["robustness"]):
        content = read_json(path, "robustness")
        if content["status"] == "ok" and content["search"] == "roco":
            study.paths["robustness"].remove(path)
            study.slot(content | {"right_images": "0" * 500})
    table = set_accuracy(collect(study.files), config)
    shown = {row[0]: row for row in table.rows if row[1] == "top-1"}
    assert shown["roco"][3:6] == ("–", "–", "–")
    assert shown["roco"][2] != "–"
    assert shown["roco − baseline"][3:6] == ("–", "–", "–")
