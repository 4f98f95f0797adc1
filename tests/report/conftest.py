"""One made-up study for all tests of the report: collected, with its tables and figures written."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from fabricated_study import config_of, fabricate

from roco.report.figures import write_figures
from roco.report.read.collect import collect
from roco.report.tables import write_tables


@pytest.fixture(scope="session", autouse=True)
def coarse() -> Iterator[None]:
    """Small pictures: they are written, but nobody looks at them here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("roco.report.figures.style.DPI", 30)
        yield


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Three seeds of two searches on CIFAR-10, the second more robust; one network a search and seed failed."""
    folder: Path = tmp_path_factory.mktemp("study")
    config = config_of(dataset="cifar10")
    files = fabricate(folder, config, failed=1).files
    study = collect(files)
    tables = {table.name: table for table in write_tables(study, config, folder / "tables")}
    write_figures(study, config, folder / "figures")
    return SimpleNamespace(folder=folder, config=config, files=files, study=study, tables=tables)


@pytest.fixture(scope="session")
def again(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Networks trained three times; of each search and seed the last failed in all, the first in the last of three."""
    folder: Path = tmp_path_factory.mktemp("again")
    config = config_of(seeds=[0, 1], retraining={"references": ["paper_roco"], "seeds": [0, 3, 11]})
    files = fabricate(folder, config, failed=1, partly=True).files
    study = collect(files)
    tables = {table.name: table for table in write_tables(study, config, folder / "tables")}
    return SimpleNamespace(folder=folder, config=config, files=files, study=study, tables=tables)


@pytest.fixture(params=["made", "again"])
def each(request: pytest.FixtureRequest) -> SimpleNamespace:
    """Each of both studies: networks trained once, and several times."""
    return request.getfixturevalue(request.param)
