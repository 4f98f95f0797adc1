import logging
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from roco.networks.compiled import library as made

NEEDS_COMPILER = pytest.mark.skipif(made.library() is None, reason="there is no C compiler on this machine")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache folder of the test's own, and no library loaded yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made.library.cache_clear()
    yield tmp_path / "roco"
    made.library.cache_clear()


@NEEDS_COMPILER
def test_it_is_compiled_once(own_cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert made.library() is not None
    [path] = own_cache.iterdir()
    assert caplog.messages == [f"compiled {path}"]
    before = path.stat().st_mtime_ns
    made.library.cache_clear()
    assert made.library() is not None
    assert [each.stat().st_mtime_ns for each in own_cache.iterdir()] == [before]


@NEEDS_COMPILER
def test_processes_may_compile_at_the_same_time(own_cache: Path) -> None:
    command = [sys.executable, "-c", "from roco.networks.compiled.library import library; print(library() is not None)"]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: subprocess.run(command, check=True, capture_output=True).stdout, range(4)))
    assert answers == [b"True\n"] * 4
    assert len(list(own_cache.iterdir())) == 1


@NEEDS_COMPILER
def test_another_processor_or_compiler_has_its_own(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for processor, compiler in (("old", "cc"), ("new", "cc"), ("new", "cc -DNOTHING")):
        monkeypatch.setattr(made, "_processor", lambda processor=processor: processor)
        monkeypatch.setenv("CC", compiler)
        made.library.cache_clear()
        assert made.library() is not None
    assert len(list(own_cache.iterdir())) == 3


def test_processors_differ_by_their_instructions(tmp_path: Path) -> None:
    told = {}
    for name, flags in (("old", "sse avx2"), ("new", "sse avx2 avx512f")):
        (tmp_path / name).write_text(f"processor: 0\nmodel name: EPYC\nMHz: {len(told)}\nflags: {flags}\n" * 2)
        told[name] = made._processor(tmp_path / name)
    assert told["old"] != told["new"]
    assert made._processor(tmp_path / "absent") == made._processor(tmp_path / "absent too")


def test_without_a_compiler_there_is_none(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert made.library() is None
    assert "no C compiler" in caplog.text


@pytest.mark.parametrize("compiler", ["/nowhere/cc", "false"])
def test_a_compiler_that_fails_is_as_none(
    compiler: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("CC", compiler)
    assert made.library() is None
    assert len(caplog.messages) == 1
    assert "no compiled kernels" in caplog.text


@NEEDS_COMPILER
def test_what_the_compiler_says_is_in_the_log(
    own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    (tmp_path / "wrong.c").write_text("int main( {")
    monkeypatch.setattr(made, "FOLDER", tmp_path)
    assert made.library() is None
    assert "error" in caplog.text
    assert list(own_cache.iterdir()) == []


def test_a_cache_that_cannot_be_written_is_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert made.library() is None


@NEEDS_COMPILER
def test_a_damaged_library_is_compiled_again(own_cache: Path) -> None:
    # In other processes, because a process keeps a library that it has loaded.
    command = [sys.executable, "-c", "from roco.networks.compiled.library import library; assert library()"]
    subprocess.run(command, check=True)
    [path] = own_cache.iterdir()
    path.write_bytes(b"\x7fELF")
    subprocess.run(command, check=True)
    assert path.stat().st_size > 1000


@NEEDS_COMPILER
def test_a_library_that_cannot_be_loaded_is_as_none(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    # An object file instead of a library.
    monkeypatch.setattr(made, "OPTIONS", ("-c",))
    assert made.library() is None
    assert "no compiled kernels" in caplog.text


def test_a_user_without_a_home_has_none(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    caplog.set_level(logging.INFO)
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("CC", "cc")
    monkeypatch.setattr(made.Path, "home", homeless)
    assert made.library() is None
    assert "home directory" in caplog.text


def test_it_can_be_turned_off(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(made.OFF, "1")
    assert made.library() is None
    assert not own_cache.exists()
