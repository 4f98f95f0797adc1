"""Networks of others beside the study: benchmarks of the user, published facts, and what is no benchmark."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from scipy.stats import spearmanr

from roco.config import check_config
from roco.errors import ArtifactError, ConfigError
from roco.report.figures import outside_scatter
from roco.report.figures.style import figure_settings
from roco.report.measures.compare import roles_of
from roco.report.measures.measured import TEST, measurements
from roco.report.read.collect import collect
from roco.report.read.nas_benchmarks import networks_of_others
from roco.report.tables import outside

CLEAN = {"0": 0.9, "1": 0.8, "2": 0.85, "3": 0.7}
PGD = {"0": [0.5, 0.3, 0.0], "1": [0.6, 0.4, 0.0], "2": [0.55, 0.2, 0.0]}


def jung(folder: Path) -> Path:
    """A folder as that of Jung et al.: four networks, the last of them the third in another form."""
    (folder / "cifar10").mkdir(parents=True)
    names = {str(number): {"isomorph": str(min(number, 2)), "nb201-string": "|"} for number in range(4)}
    meta = {"ids": names, "epsilons": {"pgd@Linf": [0.5, 1.0, 8.0]}}
    (folder / "meta.json").write_text(json.dumps(meta))
    for key, values in {"clean": CLEAN, "pgd@Linf": PGD}.items():
        content = {"cifar10": {key: {"accuracy": values}}}
        (folder / "cifar10" / f"{key}_accuracy.json").write_text(json.dumps(content))
    return folder


def robbench(path: Path) -> Path:
    seeds = {"val_acc": {"1": 0.7, "2": 0.8}, "val_pgd_8.0_acc": {"1": 0.4, "2": 0.5}, "autoattack": {"1": 0.41}}
    first = {"val_acc": {"threeseed": 0.6}, "val_pgd_8.0_acc": {"threeseed": 0.3}, "autoattack": 0.25, "synflow": 3.0}
    path.write_text(json.dumps({"cifar10": {"0": first, "7": seeds}}))
    return path


def test_the_folder_of_jung_et_al(tmp_path: Path) -> None:
    rows = list(networks_of_others(jung(tmp_path / "jung")))
    assert {row.network for row in rows} == {"0", "1", "2"}
    at_one = {row.network: (row.clean, row.robust) for row in rows if row.eps == 1.0}
    assert at_one == {"0": (0.9, 0.3), "1": (0.8, 0.4), "2": (0.85, 0.2)}
    assert {row.eps for row in rows} == {1.0, 8.0}


def test_the_file_of_nas_robbench_201(tmp_path: Path) -> None:
    rows = {(row.network, row.method): row for row in networks_of_others(robbench(tmp_path / "all.json"))}
    assert set(rows) == {("0", "pgd"), ("0", "autoattack"), ("7", "pgd"), ("7", "autoattack")}
    assert rows["0", "autoattack"].robust == 0.25
    assert rows["7", "pgd"].robust == pytest.approx(0.45)
    assert rows["7", "pgd"].clean == pytest.approx(0.75)
    assert {row.eps for row in rows.values()} == {8.0}


@pytest.mark.parametrize("content", ["[]", '{"cifar10": {"0": {}}}', "no JSON", '{"cifar10": 3}'])
def test_what_is_no_benchmark_gives_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "other.json").write_text(content)
    with pytest.raises(ArtifactError, match=r"other\.json: not one of the benchmarks that report\.benchmarks can name"):
        list(networks_of_others(tmp_path / "other.json"))


def test_the_table_and_the_figure(made: SimpleNamespace, tmp_path: Path) -> None:
    files = replace(made.files, benchmarks=(jung(tmp_path / "jung"), robbench(tmp_path / "all.json")))
    study = collect(files)
    numbers = outside.make(study, made.config).numbers
    theirs = numbers[(numbers["networks_of"] == "NAS-Bench-201") & (numbers["eps"] == 1.0)].iloc[0]
    assert theirs["networks"] == 3
    assert theirs["robust_low"] == 0.2
    assert theirs["robust_high"] == 0.4
    assert theirs["clean_median"] == 0.85
    assert theirs["correlation"] == pytest.approx(spearmanr([0.9, 0.8, 0.85], [0.3, 0.4, 0.2]).statistic)
    search = roles_of(made.config).main
    own = numbers[(numbers["networks_of"] == search) & (numbers["method"] == "pgd")].iloc[0]
    measured = measurements(study)
    pgd, clean = (
        measured[(measured["search"] == search) & (measured["metric"] == name)]["accuracy"] for name in ("pgd", TEST)
    )
    assert own["networks"] == len(pgd)
    assert own["robust_median"] == pytest.approx(pgd.median())
    assert own["clean_high"] == pytest.approx(clean.max())
    assert "RobustBench, Croce et al. 2021" in set(numbers["source"])
    drawn = outside_scatter.numbers(study, made.config)
    assert len(drawn[drawn["benchmark"] == "NAS-Bench-201"]) == 3
    assert set(drawn[drawn["panel"] == "NAS-Bench-201"]["eps"]) == {1.0}
    assert drawn["search"].notna().sum() >= len(pgd)
    with figure_settings():
        figure = outside_scatter.draw(drawn, made.config)
    titles = ["NAS-Bench-201\nPGD, 1/255", "NAS-RobBench-201\nAutoAttack, 8/255"]
    assert [axis.get_title() for axis in figure.axes] == titles


def test_other_data_sets_have_nothing_to_stand_beside(made: SimpleNamespace) -> None:
    digits = check_config(made.config.model_dump(mode="json") | {"dataset": {"name": "digits", "image_size": 16}})
    assert outside.make(made.study, digits).numbers.empty


def test_a_benchmark_that_is_not_there(made: SimpleNamespace) -> None:
    with pytest.raises(ConfigError, match=r"report\.benchmarks\.0: expected an existing file or folder, got 'no'"):
        check_config(made.config.model_dump(mode="json") | {"report": {"benchmarks": ["no"]}})
