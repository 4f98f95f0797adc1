"""The layout that `roco status` and `roco plan` count by is the one that the rules have."""

import re
from collections import Counter
from pathlib import Path

import pytest
from study import TINY, Study

from roco.config import check_config
from roco.layout import Layout


@pytest.mark.workflow
def test_rules_and_layout_agree(tmp_path: Path) -> None:
    changes = {"seeds": [0, 3], "search": {"population": 3, "offspring": 5, "generations": 2}}
    retraining = {**TINY["retraining"], "networks": "all", "references": ["1011-0000"], "seeds": [1, 10]}
    config = {**TINY, **changes, "retraining": retraining}
    study = Study(tmp_path, config)
    said = study.run("--dry-run")
    assert said.returncode == 0, said.stderr
    text = said.stdout + said.stderr
    counts = {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", text, re.MULTILINE)}
    jobs = list(Layout(check_config(config)).jobs())
    found = Counter(job.rule for job in jobs)
    assert {rule: counts[rule] for rule in found} == found
    evaluated = Counter(job.networks for job in jobs if job.place.startswith("roco, seed 3, generation 2"))
    assert evaluated == {2: 2, 1: 1}
    for job in jobs:
        (block,) = [block for block in text.split("\n\n") if re.search(rf"log: {re.escape(str(job.log))}\b", block)]
        assert f"rule {job.rule}:" in block
        assert re.search(rf"[ ,]{re.escape(str(job.output))}\b", block)
