"""Settings of all tests, and the tiny study that several of them train on."""

import sys

import pytest
from hypothesis import settings
from tiny_study import TinyStudy, make_tiny_study

# Slow machines are not failures, and a run of the suite is to be repeatable.
settings.register_profile("roco", deadline=None, derandomize=True)
settings.load_profile("roco")


@pytest.fixture(scope="session", autouse=True)
def one_torch_thread() -> None:
    # Collecting the tests has imported torch if any of them needs it.
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyStudy:
    return make_tiny_study(tmp_path_factory.mktemp("tiny"))
