"""What `make install` needs, looked at before anything is made; runs on Pythons that are too old, to say so."""

import os
import shutil
import sys

OLDEST = (3, 11)
GIGABYTES = 8


def problem():
    """The first thing that is missing, in one line with what to do; None if there is nothing."""
    if sys.version_info[:2] < OLDEST:
        found = "%d.%d" % tuple(sys.version_info[:2])
        return "roco-nas needs Python 3.11 or newer, %s was found; try: make PYTHON=python3.11" % found
    if not os.access(".", os.W_OK):
        return "%s cannot be written; copy the repository to a folder of yours" % os.getcwd()
    free = shutil.disk_usage(".").free / 1e9
    if not os.path.exists(".venv/.installed") and free < GIGABYTES:
        return "%s has %.1f GB left, the installation takes 7; make room or copy the repository elsewhere" % (
            os.getcwd(),
            free,
        )
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        return "this Python cannot make environments; install its venv package (Debian: apt install python3-venv)"
    return None


if __name__ == "__main__":
    sys.exit(problem())
