"""A configuration in a file: read, or refused in one line."""

from pathlib import Path

import pytest

from roco.config import load_config
from roco.errors import ConfigError


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text("experiment: a\ndataset:\n  name: digits\n  train_images: 200\n")
    config = load_config(tmp_path / "study.yaml")
    assert (config.experiment, config.dataset.train_images) == ("a", 200)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", "not YAML"),
        ("- a\n- b\n", "expected keys and values, got list"),
        ("", "expected keys and values, got NoneType"),
        ("experiment: !!python/object:os.system {}\n", "not YAML"),
        ("experiment: 2001-02-30\n", "not YAML"),
        ("a: \x00", "not YAML"),
        *(
            (text, "expected|not YAML")
            for text in ("? [1, 2]\n: 3\n", "? {a: 1}\n: 3\n", "a: *b\n", "<<: 3\n", "a: &a [*a]\n", "\t- a")
        ),
        *((text, "expected|not YAML") for text in ("? [1, 2]\n: 3\n", "? {a: 1}\n: 3\n", "a: *b\n", "<<: 3\n")),
        *((text, "expected|not YAML") for text in ("a: &a [*a]\n", "\t- a", "%YAML 9\n---\na", "a: b: c")),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"experiment: caf\xe9\n")
    with pytest.raises(ConfigError, match=r"latin\.yaml: not YAML"):
        load_config(tmp_path / "latin.yaml")
    with pytest.raises(ConfigError, match=r"absent\.yaml: cannot be read \(No such file or directory\)"):
        load_config(tmp_path / "absent.yaml")
