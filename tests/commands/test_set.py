import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_study import make_adversarial_set, make_dataset

from roco.cli import main


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Nine images; the margins of lenet's four Linf ones are 1, 2, 3 and 4."""
    adversarial = make_adversarial_set("test", make_dataset(seed=0), seed=1)
    margin = np.array([9, 9, 9, 1, 2, 3, 4, 7, 7], dtype=np.float32)
    settings = {"l0": {"attack": {"method": "greedy", "candidates": 8}}}
    source = np.array([0, 1, 2, 0, 1, 2, 3, 4, 4])
    replace(adversarial, margin=margin, settings=settings, source_index=source).save(tmp_path / "test.h5")
    return tmp_path / "test.h5"


def test_json_has_the_counts_and_quartiles_of_each_cell(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["set", str(path), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["split"], facts["images"], facts["clean_images"]) == ("test", 9, 5)
    cells = {(cell["target"], cell["norm"], cell["threshold"]): cell for cell in facts["cells"]}
    cell = cells["lenet", "linf", 10]
    assert (cell["attacked"], cell["successes"], cell["success_rate"]) == (5, 4, 0.8)
    assert cell["margins"] == [1.75, 2.5, 3.25]
    assert (cells["resnet", "l0", 1]["successes"], cells["resnet", "l0", 1]["margins"]) == (0, None)


def test_the_table_says_the_same(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["set", str(path)]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["lenet", "linf", "10", "5", "4", "80.0", "1.75", "2.50", "3.25"] in lines
    assert ["resnet", "l0", "1", "5", "0", "0.0", "-"] in lines
    assert ["l0:", "greedy", "(candidates", "8)"] in lines


def test_another_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_dataset(seed=0).save(tmp_path / "dataset.h5")
    assert main(["set", str(tmp_path / "dataset.h5")]) == 2
    error = capsys.readouterr().err
    assert "expected an artifact of kind 'adversarial_set', found 'dataset'" in error
    assert error.count("\n") == 1


def test_no_network_no_torch(path: Path) -> None:
    code = f"import sys; from roco.cli import main; main(['set', {str(path)!r}]); print('torch' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1] == "False"
