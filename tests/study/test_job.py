"""The frame of a workflow script: its log, its progress, its errors, how it ends."""

import gc
import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from roco import gpu_locks, runtime
from roco.errors import ArtifactError


def progress_of(log_file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in runtime.progress_file(log_file).read_text().splitlines()]


def snakemake_of(log_file: Path, *, gpus: int = 0) -> SimpleNamespace:
    resources = SimpleNamespace(gpu=gpus)
    return SimpleNamespace(log=[str(log_file)], rule="evaluate", wildcards={"seed": "0"}, resources=resources)


@pytest.mark.usefixtures("root_logger")
def test_a_job_logs_to_its_file(tmp_path: Path) -> None:
    log_file = tmp_path / "logs" / "job.log"
    with runtime.job(snakemake_of(log_file)):
        logging.getLogger("roco").info("half way", extra=runtime.progress(networks=3))
    lines = log_file.read_text().splitlines()
    messages = ["rule evaluate {'seed': '0'}", "half way", "done"]
    assert [line.split(" ", 3)[3] for line in lines] == messages
    assert all(line.split(" ")[2] == "INFO" for line in lines)
    # The same as data.
    facts = progress_of(log_file)
    assert [line["message"] for line in facts] == messages
    assert [(line.get("state"), line.get("networks")) for line in facts] == [
        ("running", None),
        (None, 3),
        ("done", None),
    ]


@pytest.mark.usefixtures("root_logger")
def test_a_job_on_a_gpu_takes_the_least_used_one_until_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_locks, "lock_folder", lambda: tmp_path)
    for expected in ("GPU-y", "GPU-x"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-x,GPU-y")
        other = gpu_locks.take_gpu(["GPU-x" if expected == "GPU-y" else "GPU-y"], tmp_path)
        with runtime.job(snakemake_of(tmp_path / "job.log", gpus=1)):
            assert os.environ["CUDA_VISIBLE_DEVICES"] == expected
        other.file.close()
        assert f"GPU {expected}" in (tmp_path / "job.log").read_text()


@pytest.mark.usefixtures("root_logger")
def test_a_job_on_a_gpu_says_what_energy_it_took(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counter = iter((100.0, 3700.5))
    monkeypatch.setattr(runtime, "gpu_joules", lambda: next(counter))
    monkeypatch.setattr(runtime, "choose_gpu", lambda: None)
    with runtime.job(snakemake_of(tmp_path / "job.log", gpus=1)):
        pass
    assert [line["joules"] for line in progress_of(tmp_path / "job.log") if "joules" in line] == [3600.5]
    # Nobody asks for a job without a GPU.
    with runtime.job(snakemake_of(tmp_path / "job.log")):
        pass


@pytest.mark.usefixtures("root_logger")
def test_a_roco_error_ends_a_job_with_one_line(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        with runtime.job(snakemake_of(tmp_path / "job.log")):
            raise ArtifactError("dataset.h5: no such file")
    assert caught.value.code == "roco: dataset.h5: no such file"
    text = (tmp_path / "job.log").read_text()
    assert "ERROR dataset.h5: no such file" in text
    assert "Traceback" not in text
    last = progress_of(tmp_path / "job.log")[-1]
    assert (last["state"], last["level"], last["message"]) == ("failed", "ERROR", "dataset.h5: no such file")


@pytest.mark.usefixtures("root_logger")
def test_processes_of_a_job_write_to_its_progress_file(tmp_path: Path) -> None:
    code = "import logging; from roco.runtime import configure_logging; configure_logging(); logging.info('epoch 1')"
    with runtime.job(snakemake_of(tmp_path / "job.log")):
        subprocess.run([sys.executable, "-c", code], check=True, stderr=subprocess.DEVNULL)
    assert [line["message"] for line in progress_of(tmp_path / "job.log")][1:] == ["epoch 1", "done"]
    # Nothing of this process after it.
    assert runtime.PROGRESS_VARIABLE not in os.environ


@pytest.mark.usefixtures("root_logger")
def test_what_others_append_to_a_job_log_stays(tmp_path: Path, root_logger: logging.Logger) -> None:
    log_file = tmp_path / "job.log"
    log_file.write_text("of a run before\n")
    with runtime.job(snakemake_of(log_file)):
        with log_file.open("a") as worker:
            worker.write("epoch 1\n")
    first, second, third = log_file.read_text().splitlines()
    assert "rule evaluate" in first
    assert second == "epoch 1"
    assert third.endswith("done")


def test_any_other_error_is_a_crash_with_its_traceback_in_the_log(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), runtime.job(snakemake_of(tmp_path / "job.log")):
        _ = 1 / 0
    text = (tmp_path / "job.log").read_text()
    assert "rule evaluate failed" in text
    assert "Traceback" in text
    assert "ZeroDivisionError" in text
    assert "done" not in text


SCRIPT = """
import atexit, gc, logging, sys
from types import SimpleNamespace
from roco import runtime

class Late:
    def __del__(self):
        print("taken down")

late = Late()
atexit.register(print, "handler")
snakemake = SimpleNamespace(log=[sys.argv[1]], rule="target", wildcards={}, resources=SimpleNamespace(gpu=0))
with runtime.job(snakemake):
    print("collects", gc.isenabled())
    runtime.start_torch("cpu")
    print("collects", gc.isenabled(), gc.get_freeze_count() > 100_000)
    print("unflushed", end="")
print("after it")
"""


def test_a_script_ends_with_its_job_and_its_modules_are_not_taken_down(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path / "job.log")], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "collects False\ncollects True True\nunflushedhandler\n"
    assert (tmp_path / "job.log").read_text().endswith("INFO done\n")


def test_a_script_that_fails_ends_as_python_does(tmp_path: Path) -> None:
    script = SCRIPT.replace('print("unflushed", end="")', "1 / 0")
    ended = subprocess.run([sys.executable, "-c", script, str(tmp_path / "job.log")], capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.strip().endswith("ZeroDivisionError: division by zero")
    assert "taken down" in ended.stdout
    assert "after it" not in ended.stdout


@pytest.mark.usefixtures("root_logger")
def test_garbage_is_collected_after_a_job(tmp_path: Path) -> None:
    with runtime.job(snakemake_of(tmp_path / "job.log")):
        assert not gc.isenabled()
    assert gc.isenabled()
