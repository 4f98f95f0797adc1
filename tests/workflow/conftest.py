"""The tiny study, run once for all tests that look at a finished one."""

import pytest
from finished import finished_study_of
from study import Study


@pytest.fixture(scope="session")
def finished_study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The tiny study, run from beginning to end without an interruption."""
    return finished_study_of(tmp_path_factory)
