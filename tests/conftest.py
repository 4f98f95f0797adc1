"""Settings of all tests, and the tiny study that several of them train on."""

import logging
import os
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings
from tiny_study import TinyStudy, make_tiny_study

from roco.runtime import has_nvidia_driver

# Triton reads it when it is imported: without a GPU its kernels run in its interpreter.
if not has_nvidia_driver():
    os.environ["TRITON_INTERPRET"] = "1"

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


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    """Puts the root logger back, whose handlers `configure_logging` replaces."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    for handler in handlers:
        root.removeHandler(handler)
    yield root
    for handler in root.handlers[:]:
        root.removeHandler(handler)
        handler.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(level)
    logging.captureWarnings(False)
