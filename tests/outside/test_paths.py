"""Spellings of `results` and `dataset.path`: YAML expands nothing, and Snakemake takes `./a` and `a` for two folders.

Met where `results: ~/results` made a folder called `~`, which nobody dares to remove; and where `./results` made
hundreds of warnings, in which the progress was lost.
"""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from study import TINY, Study

from roco.config import check_config
from roco.errors import ConfigError
from roco.settings.paths import plain_path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SCRATCH", f"{tmp_path}/scratch/")
    monkeypatch.delenv("NOWHERE", raising=False)
    return tmp_path


def results(text: str) -> str:
    return check_config({"experiment": "tiny", "results": text, "dataset": {"name": "digits"}}).folder


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ("results/", "results/tiny"),
        ("./results", "results/tiny"),
        ("results//more/./", "results/more/tiny"),
        (".", "tiny"),
        ("../results", "../results/tiny"),
        ("//srv/results", "/srv/results/tiny"),
        ("results~", "results~/tiny"),
        ("a$b", "a$b/tiny"),
        ("$5_bill", None),
        ("./~", None),
    ],
)
def test_spellings_of_results(text: str, folder: str | None) -> None:
    # A name that would be expanded when it is read again is made absolute.
    assert results(text) == (folder or f"{Path.cwd()}/{Path(text).name}/tiny")


def test_home_and_variables_are_expanded(home: Path) -> None:
    assert results("~") == f"{home}/tiny"
    assert results("~/results/") == f"{home}/results/tiny"
    assert results("$SCRATCH/results") == f"{home}/scratch/results/tiny"
    assert results("${SCRATCH}") == f"{home}/scratch/tiny"


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("text", ["~nobody_of_that_name/results", "$NOWHERE/results", "${NOWHERE}", " results"])
def test_what_cannot_be_expanded_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="results: expected a path, got '"):
        results(text)


def test_the_path_of_a_data_set_is_expanded(home: Path) -> None:
    (home / "mine.npz").touch()
    for text in ("~/mine.npz", "$HOME//mine.npz", f"{home}/./mine.npz"):
        config = check_config({"experiment": "tiny", "dataset": {"name": "npz", "path": text}})
        assert config.dataset.path == f"{home}/mine.npz"


@given(st.text(st.sampled_from("~$./a {}"), max_size=8))
def test_a_path_that_was_read_stays_what_it_is(text: str) -> None:
    try:
        once = plain_path(text)
    except ValueError:
        return
    assert plain_path(once) == once
    assert "//" not in once
    assert not once.startswith(("./", "~", "$"))


@pytest.mark.workflow
@pytest.mark.parametrize("text", ["./results", "results/", "~/results"])
def test_a_run_makes_one_folder_and_no_warning(home: Path, text: str) -> None:
    study = Study(home, TINY | {"results": text})
    result = study.run("--dry-run")
    assert result.returncode == 0, result.stderr[-3000:]
    told = result.stdout + result.stderr
    assert "dataset" in told
    assert "path '" not in told
    assert "warning" not in told.lower()
    folder = results(text)
    assert study.run(f"{folder}/dataset.h5").returncode == 0
    assert (home / "results/tiny/dataset.h5").exists()
    assert not (home / "~").exists()
