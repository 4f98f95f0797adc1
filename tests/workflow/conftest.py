"""The tiny study, run once for all tests that look at a finished one."""

import pytest
from tiny_study import TINY, Study


@pytest.fixture(scope="session")
def finished_study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The tiny study, run from beginning to end without an interruption."""
    study = Study(tmp_path_factory.mktemp("finished"), TINY)
    result = study.run()
    assert result.returncode == 0, result.stderr[-5000:]
    return study
