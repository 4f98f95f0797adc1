"""The page on own attacks: its example is applied to a copy of the package, run, and tested by its own test."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs/how-to/own-attack.md").read_text()
USE = """
import sys, torch, yaml
from roco.attacks.protocol import evaluate_robustness
from roco.config import check_config
from roco.data.dataset import Split
from roco.report.measures.compare import metric_title
from roco.study.workload import Images, robustness_work

config = check_config({"experiment": "a", "dataset": {"name": "digits"}, **yaml.safe_load(sys.argv[1])})
network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 8 * 8, 10))
images = torch.randint(256, (6, 3, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
split = Split(images.numpy(), network(images / 255).argmax(dim=1).numpy())
result = evaluate_robustness(network, split, config=config.robustness, device=torch.device("cpu"))["attacks"]["rfgsm"]
assert result["method"] == "rfgsm" and result["failures"] == 0 and len(result["robust_images"]) == 6
assert config.robustness.with_budget == ["rfgsm"]
assert metric_title("rfgsm_8") == "R+FGSM 8"
work = robustness_work(config, Images(1, 1, 5, 0, 0, classes=10, size=8))
assert (work.gradient, work.forward) == (5, 5)
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """A copy of the package with the page's attack in it, and the page's test."""
    attack, listed, test = blocks("python")
    shutil.copytree(REPOSITORY / "roco", tmp_path / "roco", ignore=shutil.ignore_patterns("__pycache__"))
    folder = tmp_path / "roco/attacks/white_box"
    (folder / "rfgsm.py").write_text(attack)
    imported, line = listed.strip().split("\n\n")
    text = (folder / "__init__.py").read_text()
    before = line.removesuffix("\n    RFGSM,")
    assert text.count(before) == 1
    (folder / "__init__.py").write_text(
        f"{text.replace(before, line)}".replace("\n\nATTACKS", f"\n{imported}\n\nATTACKS")
    )
    (tmp_path / "tests").mkdir()
    shutil.copy(REPOSITORY / "tests/attacks/conftest.py", tmp_path / "tests")
    (tmp_path / "tests/test_rfgsm.py").write_text(test)
    return tmp_path


def test_the_pages_attack_takes_one_file_one_line_and_one_test(changed: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(changed), "PYTHONDONTWRITEBYTECODE": "1"}
    pytest_of_copy = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", ".", "tests"]
    for arguments in (["-c", USE, blocks("yaml")[-1]], pytest_of_copy):
        ended = subprocess.run(
            [sys.executable, *arguments], cwd=changed, env=environment, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_pages_own_settings_are_valid() -> None:
    from roco.config import check_config

    check_config({"experiment": "a", "dataset": {"name": "digits"}, **yaml.safe_load(blocks("yaml")[0])})
