"""The page on own tables: its example is applied to a copy of the library, and the copy makes the report with it."""

import pickle
from pathlib import Path
from types import SimpleNamespace

from changed_copy import code_of, copy_library, replace_once, run_python

from roco.report.contents import BOTH_WAYS, FIGURES, PARTS, TABLES

MAKE = """
import pickle
from pathlib import Path
from roco.report.page.page import origin_of, write_page
from roco.report.read.collect import collect
from roco.report.tables import write_tables

files, config, folder = pickle.loads(Path("study.pickle").read_bytes())
study = collect(files)
write_tables(study, config, "tables")
origin = origin_of(folder / "dataset.h5")
write_page(study, config, "report.html", figures=folder / "figures", tables="tables", origin=origin)
"""


def test_the_pages_table_is_one_file_and_one_line(made: SimpleNamespace, tmp_path: Path) -> None:
    module, line = code_of("own-table")
    copy = copy_library(tmp_path)
    (copy / "roco/report/tables/mean_flops.py").write_text(module)
    part = '        "Sets, settings and all networks",\n        tables=(\n'
    replace_once(copy / "roco/report/contents.py", part, f"{part}{line.strip()},\n")
    (copy / "study.pickle").write_bytes(pickle.dumps((made.files, made.config, made.folder)))
    (copy / "make.py").write_text(MAKE)
    run_python(copy, "make.py")
    numbers = made.study.retrained.groupby("search")["flops"].mean()
    rows = [row.split(",") for row in (copy / "tables/mean_flops.csv").read_text().splitlines()[1:]]
    assert {search: float(flops) for search, flops in rows} == numbers.to_dict()
    assert r"\caption{What the networks cost}" in (copy / "tables/mean_flops.tex").read_text()
    page = (copy / "report.html").read_text()
    heading = '<section id="mean_flops">\n<h3>What the networks cost</h3>\n'
    assert f'{heading}<p class="about">Mean FLOPs of the retrained networks of each search.</p>' in page
    assert page.index('id="more"') < page.index(heading) < page.index('<section id="table_1">')


def test_each_file_of_a_table_or_figure_is_in_the_list_and_says_what_it_shows() -> None:
    items = [item for part in PARTS for item in (*part.tables, *part.figures)]
    assert len({item.name for item in TABLES}) == len(TABLES)
    assert len({item.name for item in FIGURES}) == len(FIGURES)
    assert set(items) < {*TABLES, *FIGURES}
    root = Path(__file__).parents[3] / "roco" / "report"
    every = (
        ("tables", "def make(", (*TABLES, *BOTH_WAYS.tables)),
        ("figures", "CAPTION = ", (*FIGURES, *BOTH_WAYS.figures)),
    )
    for folder, function, listed in every:
        found = {path.stem for path in (root / folder).glob("*.py") if f"\n{function}" in path.read_text()}
        assert found == {item.name for item in listed}
    assert all(item.title and item.about.endswith(".") for item in (*TABLES, *FIGURES))


def test_the_list_is_read_without_heavy_packages(tmp_path: Path) -> None:
    code = "import sys, roco.report.contents; print({'pandas', 'numpy', 'matplotlib', 'torch'} & set(sys.modules))"
    assert run_python(tmp_path, "-c", code) == "set()\n"
