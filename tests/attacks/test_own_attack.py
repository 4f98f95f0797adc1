"""The page on own attacks: its example is applied to a copy of the package, run, and tested by its own test."""

import json
import os
import re
import shutil
from pathlib import Path

import yaml
from changed_copy import ROOT, code_of, copy_library, replace_once, run_python

from roco.config import check_config

CONFIGURATIONS = [
    yaml.safe_load(block)
    for block in re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/how-to/own-attack.md").read_text(), re.DOTALL)
]
USE = """
import json, sys, torch
from roco.attacks.protocol import evaluate_robustness
from roco.config import check_config
from roco.data.dataset import Split
from roco.report.measures.compare import metric_title

config = check_config({"experiment": "a", "dataset": {"name": "digits"}, **json.loads(sys.argv[1])})
network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 8 * 8, 10))
images = torch.randint(256, (6, 3, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
split = Split(images.numpy(), network(images / 255).argmax(dim=1).numpy())
result = evaluate_robustness(network, split, config=config.robustness, device=torch.device("cpu")).attacks["rfgsm"]
assert result.method == "rfgsm" and result.failures == 0 and len(result.robust_images) == 6
assert config.robustness.with_budget == ["rfgsm"]
assert metric_title("rfgsm_8") == "R+FGSM 8"
"""


def test_the_pages_attack_takes_one_file_one_line_and_one_test(tmp_path: Path) -> None:
    attack, listed, test = code_of("own-attack")
    copy = copy_library(tmp_path)
    folder = copy / "roco/attacks/white_box"
    (folder / "rfgsm.py").write_text(attack)
    imported, line = listed.strip().split("\n\n")
    replace_once(folder / "__init__.py", line.removesuffix("\n    RFGSM,"), f"{imported}\n\n{line}")
    run_python(copy, "-c", USE, json.dumps(CONFIGURATIONS[-1]))
    (copy / "tests").mkdir()
    shutil.copy(ROOT / "tests/attacks/conftest.py", copy / "tests")
    (copy / "tests/test_rfgsm.py").write_text(test)
    run_python(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", ".", "tests")


def test_the_pages_other_settings_are_valid() -> None:
    check_config({"experiment": "a", "dataset": {"name": "digits"}, **CONFIGURATIONS[0]})
