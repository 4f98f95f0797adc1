"""A shell leaves `~` in `--results=~/study` as it is, so commands expand it."""

from pathlib import Path

import pytest

from roco.cli import main
from roco.storage.store import Store


def test_a_command_looks_in_the_home_that_a_tilde_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["roco", "store", "list", "--results=~/study"])
    Store(tmp_path / "study/store").write("thing", "a", [1])
    main()
    assert "thing" in capsys.readouterr().out
