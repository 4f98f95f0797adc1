"""A machine with an NVIDIA driver that torch cannot use: the study goes on with the CPU, and says so.

Met in containers that see the host's driver, with drivers too old for torch's CUDA, with torch built for the CPU alone,
and with CUDA_VISIBLE_DEVICES set to nothing.
"""

import ctypes
import logging
import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tiny_study import GENOMES, RECIPE, TinyStudy

from roco import gpus, runtime
from roco.search.records import write_genomes
from roco.storage.artifacts import read_json

SCRIPTS = Path(__file__).parents[2] / "workflow_scripts"


class Names(dict[str, Any]):
    """Values by name and as attributes, as Snakemake has them."""

    def __getattr__(self, name: str) -> Any:
        return self[name]


@pytest.fixture
def unusable_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "has_nvidia_driver", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(gpus, "driver_serves_torch", lambda: False)


@pytest.mark.usefixtures("unusable_gpu", "root_logger")
def test_a_job_of_the_search_goes_on_with_the_cpu(
    tiny: TinyStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A script ends its process.
    monkeypatch.setattr(runtime, "leave", lambda: None)
    write_genomes(tmp_path / "genomes.json", GENOMES[:1], search="roco", seed=0, generation=1)
    job = SimpleNamespace(
        rule="evaluate",
        config={"experiment": "tiny", "dataset": {"name": "digits"}},
        wildcards=Names(search="roco", seed="0", generation="001", shard="000"),
        input=Names(
            genomes=str(tmp_path / "genomes.json"),
            dataset=str(tiny.dataset_path),
            adversarial=str(tiny.adversarial_path),
        ),
        output=Names(records=str(tmp_path / "records.json")),
        log=[str(tmp_path / "job.log")],
        threads=1,
        resources=SimpleNamespace(),
        params=Names(
            genomes_per_job=1,
            training=RECIPE,
            channels=2,
            stem_padding=0,
            node="residual",
            measurements=[],
            store=str(tmp_path / "store"),
        ),
    )
    runpy.run_path(str(SCRIPTS / "evaluate.py"), init_globals={"snakemake": job}, run_name="__main__")
    [record] = read_json(tmp_path / "records.json", "evaluations")
    assert (record["status"], record["device"]) == ("ok", "cpu")
    said = (tmp_path / "job.log").read_text()
    assert said.count("cannot use its GPU: going on with the CPU") == 1


@pytest.mark.usefixtures("unusable_gpu")
def test_only_auto_goes_on_with_the_cpu(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="roco"):
        assert gpus.usable_device("cuda") == "cuda"
        assert gpus.usable_device("cpu") == "cpu"
        assert caplog.messages == []
        assert gpus.usable_device("auto") == "cpu"
    assert "update the driver, or set device to cpu" in caplog.text


class Driver:
    """Stands in for libcuda: its version, how many GPUs it has, and whether it starts."""

    def __init__(self, version: int, count: int, error: int = 0) -> None:
        self.version, self.count, self.error = version, count, error

    def cuInit(self, flags: int) -> int:  # noqa: N802 (CUDA's name)
        return self.error

    def cuDriverGetVersion(self, place: Any) -> int:  # noqa: N802
        place._obj.value = self.version
        return 0

    def cuDeviceGetCount(self, place: Any) -> int:  # noqa: N802
        place._obj.value = self.count
        return 0


@pytest.mark.parametrize(
    ("driver", "needed", "serves"),
    [
        (Driver(13020, 1), 13, True),
        (Driver(12040, 2), 12, True),
        (Driver(13000, 1), 12, True),
        (Driver(12080, 1), 13, False),
        (Driver(13020, 0), 13, False),
        (Driver(13020, 1, error=100), 13, False),
        (Driver(13020, 1), None, False),
        (None, 13, False),
    ],
)
def test_a_driver_serves_a_torch_that_is_not_newer(
    driver: Driver | None, needed: int | None, serves: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(name: str) -> Driver:
        assert name == "libcuda.so.1"
        if driver is None:
            raise OSError("libcuda.so.1: cannot open shared object file")
        return driver

    monkeypatch.setattr(ctypes, "CDLL", load)
    monkeypatch.setattr(gpus, "cuda_of_torch", lambda: needed)
    assert gpus.driver_serves_torch() == serves


def test_torch_is_asked_for_its_cuda_without_an_import() -> None:
    cuda = torch.version.cuda
    assert gpus.cuda_of_torch() == (None if cuda is None else int(cuda.split(".")[0]))
