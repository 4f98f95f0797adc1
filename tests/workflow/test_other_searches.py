"""A user's own images and searches through Snakemake: an image folder, other methods, objectives, nodes and widths."""

import csv

import numpy as np
import pytest
from PIL import Image
from study import TINY, Study

from roco.networks.files import describe_file
from roco.storage.artifacts import read_json

pytestmark = [pytest.mark.workflow, pytest.mark.long]

CLASSES = ("blue", "green", "red", "yellow")
SEARCHES = {
    "baseline": ["error", "flops"],
    "far": {"objectives": ["error", "flops", "adversarial_error[linf]"], "method": "nsga3"},
    "quick": {"objectives": ["error", "latency", "adversarial_error[l0,5,target=lenet]"], "method": "sms_emoa"},
    "random": {"objectives": ["error", "flops", "adversarial_error"], "method": "random"},
}
# A chain of two nodes in the first phase, and of three in the second.
FIRST = "1000-1010"


def write_images(folder):
    """Four classes, each a colour under noise, in images of 26x20 pixels."""
    generator = np.random.default_rng(0)
    colours = ((0, 0, 90), (0, 90, 0), (90, 0, 0), (90, 90, 0))
    for part, count in (("train", 40), ("test", 15)):
        for name, colour in zip(CLASSES, colours, strict=True):
            (folder / part / name).mkdir(parents=True)
            for number in range(count):
                noise = generator.integers(0, 160, (26, 20, 3)) + np.array(colour)
                Image.fromarray(noise.astype(np.uint8)).save(folder / part / name / f"{number}.png")


def rows_of(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_a_folder_of_four_classes_with_every_method(tmp_path):
    write_images(tmp_path / "photos")
    config = {
        **TINY,
        "experiment": "photos",
        "seeds": [0, 1],
        "dataset": {"name": "image_folder", "path": str(tmp_path / "photos"), "image_size": 18},
        "space": {**TINY["space"], "node": "dense"},
        "search": {"searches": SEARCHES, "population": 3, "offspring": 2, "generations": 2, "population_0": [FIRST]},
        "evaluation": {**TINY["evaluation"], "channels": [2, 2]},
        "retraining": {
            **TINY["retraining"],
            "channels": [3, 4],
            "node": "preactivation",
            "networks": 1,
            "seeds": [0, 7],
        },
    }
    study = Study(tmp_path, config)
    result = study.run()
    assert result.returncode == 0, result.stderr[-5000:]
    page = (study.results / "report.html").read_text()
    assert "image_folder, 4 classes" in page
    assert "were resized bilinearly to 18 x 18" in page
    # The named genome begins each seed's first population; the objectives are where a reader looks for them.
    for seed in (0, 1):
        genomes = read_json(study.results / f"search/initial/seed_{seed}/generation_000/genomes.json", "genomes")
        assert genomes["genomes"][0]["genome"] == FIRST
    fronts = {
        name: [row for row in rows_of(study.results / "tables/fronts.csv") if row["search"] == name]
        for name in SEARCHES
    }
    assert all(float(row["latency"]) > 0 for row in fronts["quick"])
    assert all(row["adversarial_error[linf]"] for row in fronts["far"])
    methods = {row["search"]: row["method"] for row in rows_of(study.results / "tables/searches.csv")}
    assert methods == {"baseline": "nsga2", "far": "nsga3", "quick": "sms_emoa", "random": "random"}
    control = rows_of(study.results / "tables/control.csv")
    assert {row["search"] for row in control} == {"baseline", "far", "quick"}
    # All searches have seen as many networks as the control after each generation.
    assert {(row["generation"], row["evaluations"]) for row in control} == {("0", "3"), ("1", "5"), ("2", "7")}
    retrained = rows_of(study.results / "tables/retrainings.csv")
    assert {row["training_seed"] for row in retrained} == {"0", "7"}
    assert {row["channels"] for row in retrained} == {"3, 4"}
    weights = study.results / "retrained/baseline/seed_0/slot_000/training_0/network.safetensors"
    assert describe_file(weights).spec.node == "preactivation"
    # The same network with the same training seed is the same training, whichever search found it.
    found = {}
    for row in retrained:
        found.setdefault((row["key"], row["training_seed"]), set()).add(row["test"])
    assert all(len(values) == 1 for values in found.values())
