"""A GPU for each job: the least used one, by a lock that ends with the job. No GPU is needed here: names are enough."""

import ctypes
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from roco import gpu_locks
from roco.gpu_locks import choose_gpu, gpu_joules, gpus_in, take_gpu, visible_gpus

FOUR = ["GPU-a", "GPU-b", "GPU-c", "GPU-d"]
# A job: it takes a GPU, says which, and works until its input ends.
JOB = """
import sys
from pathlib import Path
from roco.gpu_locks import take_gpu
lock = take_gpu(sys.argv[2:], Path(sys.argv[1]))
print(lock.gpu, flush=True)
sys.stdin.read()
"""


class Jobs:
    """Jobs as processes of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: list[tuple[str, subprocess.Popen[str]]] = []

    def start(self, count: int, gpus: list[str] = FOUR) -> list[str]:
        """Starts jobs at once; what each took."""
        command = [sys.executable, "-c", JOB, str(self.folder), *gpus]
        started = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(count)
        ]
        took = [process.stdout.readline().strip() for process in started if process.stdout]
        self.running += zip(took, started, strict=True)
        return took

    def kill(self, gpu: str) -> None:
        process = next(process for name, process in self.running if name == gpu)
        process.kill()
        process.communicate()
        self.running = [(name, each) for name, each in self.running if each is not process]


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    started = Jobs(tmp_path)
    yield started
    for _, process in started.running:
        process.kill()
        process.communicate()


def test_four_jobs_at_once_take_four_gpus(jobs: Jobs) -> None:
    assert sorted(jobs.start(4)) == FOUR


def test_the_gpu_of_a_killed_job_is_free(jobs: Jobs) -> None:
    jobs.start(4)
    jobs.kill("GPU-c")
    assert jobs.start(1) == ["GPU-c"]


def test_eight_jobs_share_four_gpus_evenly(jobs: Jobs) -> None:
    assert set(Counter(jobs.start(8)).values()) == {2}


def test_a_job_takes_the_least_used_gpu_wherever_others_ended(jobs: Jobs) -> None:
    jobs.start(8)
    jobs.kill("GPU-b")
    jobs.kill("GPU-b")
    jobs.kill("GPU-d")
    assert [jobs.start(1)[0] for _ in range(3)] == ["GPU-b", "GPU-b", "GPU-d"]


def test_studies_with_other_gpus_in_common_do_not_collide(jobs: Jobs) -> None:
    first = jobs.start(1, ["GPU-a", "GPU-b"])
    second = jobs.start(2, ["GPU-a", "GPU-b", "GPU-c"])
    assert sorted(first + second) == ["GPU-a", "GPU-b", "GPU-c"]


def test_a_job_hides_the_other_gpus_from_its_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-x, GPU-y")
    monkeypatch.setattr(gpu_locks, "lock_folder", lambda: tmp_path)
    monkeypatch.setattr(gpu_locks, "_listed_gpus", list)
    held = take_gpu(["GPU-x"], tmp_path)
    lock = choose_gpu()
    assert lock is not None
    assert (lock.gpu, lock.shared_with, held.gpu) == ("GPU-y", 0, "GPU-x")
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-y"
    held.file.close()
    lock.file.close()


@pytest.mark.parametrize("visible", ["", "2", "GPU-x"])
def test_nothing_is_chosen_where_there_is_no_choice(visible: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setattr(gpu_locks, "_listed_gpus", lambda: FOUR)
    assert choose_gpu() is None
    assert os.environ["CUDA_VISIBLE_DEVICES"] == visible


def test_numbers_and_uuids_mean_the_same_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_locks, "_has_one_gpu", lambda: False)
    monkeypatch.setattr(gpu_locks, "_listed_gpus", lambda: FOUR)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert visible_gpus() == FOUR
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,GPU-a,7")
    assert visible_gpus() == ["GPU-d", "GPU-a", "7"]


def test_locks_that_cannot_be_written_are_told_and_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setattr(gpu_locks, "lock_folder", lambda: tmp_path / "missing")
    assert choose_gpu() is None
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1"
    assert "cannot be shared out" in caplog.text


def test_a_single_gpu_is_known_without_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dev").mkdir()
    for name in ("nvidia0", "nvidiactl", "nvidia-uvm"):
        (tmp_path / "dev" / name).touch()
    assert gpu_locks._has_one_gpu(tmp_path)
    (tmp_path / "proc/driver/nvidia/capabilities/gpu0/mig/gi1").mkdir(parents=True)
    assert not gpu_locks._has_one_gpu(tmp_path)
    monkeypatch.setattr(gpu_locks, "_has_one_gpu", lambda: True)
    monkeypatch.setattr(gpu_locks, "_listed_gpus", lambda: pytest.fail("a program was started"))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert visible_gpus() == []


def test_instances_of_a_gpu_stand_for_it() -> None:
    listing = """GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-5f2a)
GPU 1: NVIDIA H100 80GB HBM3 (UUID: GPU-77c0)
  MIG 3g.40gb     Device  0: (UUID: MIG-0d1e)
  MIG 3g.40gb     Device  1: (UUID: MIG-8c4b)
"""
    assert gpus_in(listing) == ["GPU-5f2a", "MIG-0d1e", "MIG-8c4b"]


class Nvml:
    """Stands in for NVML: a counter in mJ that grows by 2 J at each look, of one device."""

    def __init__(self) -> None:
        self.millijoules, self.asked = 5_000, list[object]()

    def nvmlInit_v2(self) -> int:  # noqa: N802 (NVML's names)
        return 0

    def nvmlShutdown(self) -> int:  # noqa: N802
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, index: int, place: Any) -> int:  # noqa: N802
        self.asked.append(index)
        return 0

    def nvmlDeviceGetHandleByUUID(self, uuid: bytes, place: Any) -> int:  # noqa: N802
        self.asked.append(uuid)
        return 3 if uuid.startswith(b"MIG-") else 0

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: object, place: Any) -> int:  # noqa: N802
        self.millijoules += 2_000
        place._obj.value = self.millijoules
        return 0


def test_energy_is_that_of_the_jobs_own_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = Nvml()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: nvml)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert gpu_joules() == 7.0
    for given in ("2,0", "GPU-x", "MIG-y"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
        assert gpu_joules() == (None if given == "MIG-y" else nvml.millijoules / 1000)
    assert nvml.asked == [0, 2, b"GPU-x", b"MIG-y"]

    def missing(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert gpu_joules() is None
