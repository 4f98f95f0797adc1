"""The tiny study, run once for all tests that look at a finished one, in whichever process they are.

ROCO_TEST_FOLDER names a folder to keep it in for several runs of pytest.
"""

import fcntl
import os
from pathlib import Path

import pytest
from study import TINY, Study


def finished_study_of(factory: pytest.TempPathFactory) -> Study:
    """The finished study; the first process that asks runs it, the others wait."""
    folder = factory.getbasetemp()
    if kept := os.environ.get("ROCO_TEST_FOLDER"):
        folder = Path(kept)
    elif "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with (folder / "finished.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        study = Study(folder / "finished", TINY)
        if not (folder / "finished.mark").exists():
            result = study.run()
            assert result.returncode == 0, result.stderr[-5000:]
            (folder / "finished.mark").touch()
    return study
