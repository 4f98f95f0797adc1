"""A cluster for all tests here, and the same study run locally to compare with."""

import subprocess
from collections.abc import Iterator

import pytest
from cluster import Cluster, missing
from cluster_study import CONFIG
from study import Study


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A real SLURM; the test is skipped where it cannot be."""
    if reason := missing():
        pytest.skip(reason)
    cluster = Cluster(tmp_path_factory.mktemp("slurm"))
    try:
        try:
            cluster.start()
        except (OSError, subprocess.SubprocessError, TimeoutError) as error:
            pytest.skip(f"SLURM does not start on this machine: {error}")
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def local_study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The same study, run without SLURM."""
    study = Study(tmp_path_factory.mktemp("local"), CONFIG)
    result = study.run()
    assert result.returncode == 0, result.stderr[-5000:]
    return study
