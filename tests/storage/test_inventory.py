"""The store's entries listed, checked and exported, through the command as users call it."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from roco.cli import main
from roco.storage.store import Store

RECORD = {
    "genome": "1000-0000",
    "key": "012345678901",
    "status": "ok",
    "reason": None,
    "error": 0.25,
    "adversarial_error": 0.5,
    "adversarial_breakdown": [
        {"target": "lenet", "norm": "l0", "threshold": 1, "images": 4, "errors": 3},
        {"target": "lenet", "norm": "linf", "threshold": 1, "images": 0, "errors": 0},
    ],
    "flops": 10,
    "parameters": 5,
    "epochs": 2,
    "seed": 0,
    "device": "cpu",
    "train_loss": [2.0, 1.5],
    "seconds": 3.5,
    "versions": {},
    "dataset_fingerprint": "f",
    "settings_hash": "h",
}
FAILED = {
    **RECORD,
    "status": "failed",
    "reason": "too slow",
    "adversarial_breakdown": [],
    "train_loss": [],
    "flops": 20,
}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    store = Store(tmp_path / "results/store")
    store.write("evaluation", "b-1", RECORD)
    store.write("evaluation", "a-2", FAILED | {"measured": {"latency": 2.5}})
    store.write_arrays("adversarial_chunk", "c", {"images": np.zeros((2, 3), np.uint8)})
    # What a job at work has begun to write is no entry.
    (tmp_path / "results/store/evaluation/.d.machine.1.partial.json").write_text("half")
    return tmp_path / "results"


def call(results: Path, *arguments: str) -> int:
    return main(["store", *arguments, "--results", str(results)])


def test_list_counts_entries_by_kind(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(results, "list") == 0
    lines = [line.split()[:3] for line in capsys.readouterr().out.splitlines()]
    assert lines == [["adversarial_chunk", "1", "entries"], ["evaluation", "2", "entries"]]
    assert call(results / "elsewhere", "list") == 0
    assert "empty" in capsys.readouterr().out


def test_verify_names_what_is_damaged_or_under_a_wrong_name(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(results, "verify") == 0
    assert capsys.readouterr().out == "3 entries, all whole\n"
    folder = results / "store/evaluation"
    (folder / "b-1.json").write_text((folder / "b-1.json").read_text().replace("0.25", "0.05"))
    (folder / "a-2.json").rename(folder / "a-3.json")
    chunk = results / "store/adversarial_chunk/c.h5"
    chunk.write_bytes(chunk.read_bytes()[:-100])
    assert call(results, "verify") == 2
    said = capsys.readouterr()
    assert "b-1.json: its content does not match its checksum" in said.out
    assert "a-3.json: expected key 'a-3', found 'a-2'" in said.out
    assert "c.h5: not a whole HDF5 artifact" in said.out
    assert "3 of 3 entries are damaged" in said.err


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_export_is_one_row_an_evaluation(results: Path, tmp_path: Path, suffix: str) -> None:
    if suffix == "parquet":
        pytest.importorskip("pyarrow", reason="pyarrow is in the extra 'export'")
    output = tmp_path / f"table.{suffix}"
    assert call(results, "export", "--output", str(output)) == 0
    table = pd.read_csv(output, dtype={"key": str}) if suffix == "csv" else pd.read_parquet(output)
    assert table["entry"].tolist() == ["a-2", "b-1"]
    assert table["key"].tolist() == ["012345678901"] * 2
    failed, found = table.to_dict("records")
    assert (found["error"], found["flops"], found["train_loss"], found["settings_hash"]) == (0.25, 10, 1.5, "h")
    assert found["adversarial_error_lenet_l0_1"] == 0.75
    assert pd.isna(found["adversarial_error_lenet_linf_1"])
    assert pd.isna(found["latency"])
    assert (failed["status"], failed["reason"], failed["latency"]) == ("failed", "too slow", 2.5)
    assert pd.isna(failed["train_loss"])


def test_what_cannot_be_exported_is_one_line(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for place, name, message in (
        (results, "t.xlsx", "expected a file that ends in .csv or .parquet"),
        (results, "t.parquet", "needs pyarrow, which is not installed; pip install '.[export]' in the clone"),
        (results / "elsewhere", "t.csv", "no evaluations are kept here"),
    ):
        assert call(place, "export", "--output", str(tmp_path / name)) == 2
        said = capsys.readouterr().err
        assert message in said
        assert said.count("\n") == 1
        assert not (tmp_path / name).exists()
