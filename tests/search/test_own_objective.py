"""An objective of one's own is a function and an entry of one file: the page's examples, put into a copy of it."""

import re
from pathlib import Path

import yaml
from changed_copy import ROOT, code_of, copy_library, replace_once, run_python

CODE = """
from roco.config import check_config
from roco.search.objectives import value_of
from roco.search.records import Evaluation

evaluation = Evaluation.model_construct(genome="1000-0000", measured={{"noise_error": 0.5}})
print(check_config({raw}).search.measurements, value_of("depth", evaluation), value_of("noise_error", evaluation))
"""


def test_the_page_names_all_that_a_new_objective_needs(tmp_path: Path) -> None:
    file = copy_library(tmp_path) / "roco/search/objectives.py"
    # In the file itself there is nothing to import from it.
    functions = re.sub(r"from roco\.search\.objectives import .*\n", "", "\n".join(code_of("own-objective")))
    replace_once(file, "OBJECTIVES: Mapping", f"{functions}\nOBJECTIVES: Mapping")
    replace_once(file, '        "error": ', '        **own, **own_measured,\n        "error": ')
    (block,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/how-to/own-objective.md").read_text(), re.DOTALL)
    raw = {"experiment": "a", "dataset": {"name": "digits"}, **yaml.safe_load(block)}
    assert run_python(tmp_path, "-c", CODE.format(raw=raw)) == "['noise_error'] 2.0 0.5\n"
