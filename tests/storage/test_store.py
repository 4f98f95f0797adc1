import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from roco.storage.artifacts import read_json, write_json
from roco.storage.store import Store


def test_what_is_kept_is_found_again(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    assert store.read("evaluation", "a") is None
    content = {"error": 0.25, "losses": [1.0, 0.5], "reason": None}
    store.write("evaluation", "a", content)
    assert Store(str(tmp_path / "store")).read("evaluation", "a") == content
    assert store.read("evaluation", "b") is None
    assert store.read("white_box", "a") is None
    store.write("evaluation", "a", {"error": 1.0})
    assert store.read("evaluation", "a") == {"error": 1.0}


def test_an_entry_is_one_artifact_named_by_kind_and_key(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write("evaluation", "a", [1, 2])
    assert [path.relative_to(tmp_path) for path in tmp_path.rglob("*.*")] == [Path("evaluation/a.json")]
    assert read_json(store.path("evaluation", "a"), "evaluation") == {"key": "a", "content": [1, 2]}
    assert store.path("network", "k", suffix=".safetensors") == tmp_path / "network" / "k.safetensors"


def test_an_entry_of_another_kind_is_not_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = Store(tmp_path)
    store.write("evaluation", "a", 1)
    store.path("white_box", "a").parent.mkdir()
    store.path("evaluation", "a").rename(store.path("white_box", "a"))
    assert store.read("white_box", "a") is None
    assert "expected an artifact of kind 'white_box', found 'evaluation'" in caplog.text


def test_an_entry_under_another_key_is_not_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = Store(tmp_path)
    arrays = {"margins": np.arange(3.0)}
    store.write("evaluation", "a", [1])
    store.write_arrays("chunk", "a", arrays)
    assert np.array_equal(store.read_arrays("chunk", "a")["margins"], arrays["margins"])
    assert store.read_arrays("chunk", "b") is None
    for kind, suffix in (("evaluation", ".json"), ("chunk", ".h5")):
        store.path(kind, "a", suffix=suffix).rename(store.path(kind, "b", suffix=suffix))
    assert store.read("evaluation", "b") is None
    assert store.read_arrays("chunk", "b") is None
    assert caplog.text.count("expected key 'b', found 'a': it was made for something else") == 2


@pytest.mark.parametrize("content", [[1], 3, None, "key", {"content": 1}])
def test_an_artifact_that_is_no_entry_is_not_taken(tmp_path: Path, content: object) -> None:
    write_json(tmp_path / "evaluation" / "a.json", "evaluation", content)
    assert Store(tmp_path).read("evaluation", "a") is None


READER_AND_WRITER = """
import sys
from pathlib import Path

import numpy as np

from roco.storage.store import Store

store, rounds = Store(sys.argv[1]), int(sys.argv[2])
# As large as a real entry, so that a write takes more than one call.
contents = {key: {"losses": [float(key)] * 4000} for key in "123"}
for number in range(rounds):
    for key, content in contents.items():
        assert store.read("evaluation", key) in (None, content)
        found = store.read_arrays("chunk", key)
        assert found is None or (found["changes"] == int(key)).all()
        store.write("evaluation", key, content)
        store.write_arrays("chunk", key, {"changes": np.full(20_000, int(key))})
"""


def test_processes_at_once_see_whole_entries_only(tmp_path: Path) -> None:
    command = [sys.executable, "-c", READER_AND_WRITER, str(tmp_path / "store"), "25"]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    complaints = [process.communicate()[1] for process in running]
    # An entry that is not whole would be a warning.
    assert [(process.returncode, said) for process, said in zip(running, complaints, strict=True)] == [(0, "")] * 4
    names = sorted(str(path.relative_to(tmp_path / "store")) for path in (tmp_path / "store").rglob("*.*"))
    assert names == [f"chunk/{key}.h5" for key in "123"] + [f"evaluation/{key}.json" for key in "123"]
