"""One run at a time in a results folder."""

import errno
import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from roco.errors import ConfigError
from roco.study import lock
from roco.study.lock import lock_results, running_process


def test_one_process_holds_the_lock_of_a_folder(tmp_path: Path) -> None:
    descriptor = lock_results(tmp_path / "study")
    assert descriptor is not None
    with pytest.raises(ConfigError, match=f"another run is at work here .process {os.getpid()} on"):
        lock_results(tmp_path / "study")
    other = lock_results(tmp_path / "other")
    assert other is not None
    os.close(other)
    os.close(descriptor)
    again = lock_results(str(tmp_path / "study"))
    assert again is not None
    os.close(again)


def test_who_looks_whether_a_run_is_at_work_keeps_none_from_starting(tmp_path: Path) -> None:
    # `roco status` has the lock while it looks, here for a third of a second.
    (tmp_path / ".running").write_text("")
    code = "import fcntl, sys, time; f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_SH); print(1, flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", f"{code}; time.sleep(0.3)", str(tmp_path / ".running")],
        stdout=subprocess.PIPE,
        text=True,
    ) as looker:
        assert looker.stdout is not None
        assert looker.stdout.readline() == "1\n"
        descriptor = lock_results(tmp_path)
        assert descriptor is not None
        os.close(descriptor)


def test_a_killed_run_leaves_no_lock(tmp_path: Path) -> None:
    code = "import sys, time; from roco.study.lock import lock_results; lock_results(sys.argv[1]); print(1, flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", f"{code}; time.sleep(60)", str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "1\n"
        with pytest.raises(ConfigError, match=f"process {run.pid} on"):
            lock_results(tmp_path)
        run.send_signal(signal.SIGKILL)
        run.wait()
    descriptor = lock_results(tmp_path)
    assert descriptor is not None
    assert running_process(tmp_path) == f"process {os.getpid()} on {platform.node()}"
    os.close(descriptor)
    assert running_process(tmp_path) == ""


def test_a_file_system_without_locks_is_only_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(lock.fcntl, "flock", refuse)
    assert lock_results(tmp_path) is None
    assert "cannot be locked (No locks available)" in caplog.text


def test_a_results_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"cannot be written .*; set results to a folder of yours"):
        lock_results(tmp_path / "file" / "study")
