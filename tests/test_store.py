import logging
from pathlib import Path

import pytest

from roco.artifacts import read_json
from roco.store import Store


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
    assert read_json(store.path("evaluation", "a"), "evaluation") == [1, 2]
    assert store.path("network", "k", suffix=".safetensors") == tmp_path / "network" / "k.safetensors"


@pytest.mark.parametrize("damage", [lambda text: text[:-9], lambda text: text.replace("1", "2"), lambda _: ""])
def test_a_damaged_entry_counts_as_missing_with_a_warning(
    tmp_path: Path, damage, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store(tmp_path)
    store.write("evaluation", "a", {"epochs": 1})
    path = store.path("evaluation", "a")
    path.write_text(damage(path.read_text()))
    with caplog.at_level(logging.WARNING, logger="roco"):
        assert store.read("evaluation", "a") is None
    assert "computed again" in caplog.text
    assert str(path) in caplog.text
    store.write("evaluation", "a", {"epochs": 1})
    assert store.read("evaluation", "a") == {"epochs": 1}


def test_an_entry_of_another_kind_is_not_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = Store(tmp_path)
    store.write("evaluation", "a", 1)
    store.path("white_box", "a").parent.mkdir()
    store.path("evaluation", "a").rename(store.path("white_box", "a"))
    assert store.read("white_box", "a") is None
    assert "expected an artifact of kind 'white_box', found 'evaluation'" in caplog.text
