"""A copy of the library with a change that a page of the docs describes, and Python run on that copy."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def code_of(page: str, language: str = "python") -> list[str]:
    """The blocks of a language in a page of how-tos, in order."""
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / f"docs/how-to/{page}.md").read_text(), re.DOTALL)


def copy_library(folder: Path) -> Path:
    """Copies the library into a folder; gives the folder."""
    shutil.copytree(ROOT / "roco", folder / "roco", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def replace_once(path: Path, old: str, new: str) -> None:
    """Changes a text that stands in a file exactly once."""
    text = path.read_text()
    assert text.count(old) == 1, f"{path}: {old}"
    path.write_text(text.replace(old, new))


def run_python(folder: Path, *arguments: str) -> str:
    """Runs Python on the copy in a folder; gives what it writes."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, *arguments]
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout
