"""The layout that `roco status` and `roco plan` count by is the one that the rules have."""

import re
from collections import Counter
from pathlib import Path

import pytest
from study import TINY, Study

from roco.config import check_config
from roco.study.files import File, in_words
from roco.study.layout import Layout


@pytest.mark.workflow
def test_rules_and_layout_agree(tmp_path: Path) -> None:
    changes = {"seeds": [0, 3], "search": {"population": 3, "offspring": 5, "generations": 2}}
    retraining = {**TINY["retraining"], "networks": "all", "references": ["1011-0000"], "seeds": [1, 10]}
    config = {**TINY, **changes, "retraining": retraining}
    study = Study(tmp_path, config)
    said = study.run("--dry-run")
    assert said.returncode == 0, said.stderr
    text = said.stdout + said.stderr
    # The published networks' retraining is a rule of its own to Snakemake only.
    said_counts = dict(re.findall(r"^(\w+) +(\d+)$", text, re.MULTILINE))
    counts: Counter[str] = Counter()
    for rule, count in said_counts.items():
        counts[rule.removesuffix("_references")] += int(count)
    jobs = list(Layout(check_config(config)).jobs())
    found = Counter(job.rule for job in jobs)
    assert {rule: counts[rule] for rule in found} == found
    evaluated = Counter(job.networks for job in jobs if job.title.startswith("roco, seed 3, generation 2, "))
    assert evaluated == {2: 2, 1: 1}
    for job in jobs:
        (block,) = [block for block in text.split("\n\n") if re.search(rf"log: {re.escape(str(job.log))}\b", block)]
        assert re.search(rf"rule {job.rule}(_references)?:", block)
        assert re.search(rf"[ ,]{re.escape(str(job.output))}\b", block)
        benchmark = str(job.log).replace("/logs/", "/benchmarks/").removesuffix(".log")
        assert f"benchmark: {benchmark}.tsv\n" in block


def test_wildcards_without_a_value_stay_open() -> None:
    assert File.EVALUATIONS.at(search="roco", seed=3, generation=12, shard="007") == (
        "search/roco/seed_3/generation_012/evaluations/shard_007.json"
    )
    assert File.FRONT.at(search="roco") == "search/roco/seed_{seed}/front.json"


def test_a_file_can_be_told_from_all_others() -> None:
    patterns = [file.value.replace("{", "").replace("}", "") for file in File]
    assert len(set(patterns)) == len(patterns) == len(File.__members__)


@pytest.mark.parametrize(
    ("wildcards", "words"),
    [
        ({"search": "roco", "seed": "0", "generation": "002"}, "roco, seed 0, generation 002"),
        ({"split": "test", "target": "lenet", "norm": "l0"}, "test, lenet, l0"),
        ({"search": "roco", "training_seed": 4}, "roco, training seed 4"),
        ({}, ""),
    ],
)
def test_wildcards_in_words(wildcards: dict[str, object], words: str) -> None:
    assert in_words(wildcards) == words
