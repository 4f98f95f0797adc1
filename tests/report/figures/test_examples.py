import base64
import html
import io
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pytest
from fabricated_study import FabricatedStudy, config_of, fabricate
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.image import imread

from roco.errors import ArtifactError
from roco.report.figures.examples import difference_on_grey, draw
from roco.report.figures.examples import numbers as examples
from roco.report.figures.fonts import FAMILY, families, lacking, show_numbers_instead
from roco.report.figures.style import figure_settings, save, svg_text
from roco.report.read.collect import StudyFiles, collect
from roco.storage.artifacts import read_arrays, write_arrays


@pytest.fixture
def cells(made: SimpleNamespace) -> pd.DataFrame:
    return pd.read_csv(made.folder / "figures" / "examples.csv").set_index(["norm", "threshold", "target"])


def pictures(drawing: str) -> list[np.ndarray]:
    found = re.findall(r'href="data:image/png;base64,\s*([^"]+)"', drawing)
    return [np.rint(255 * imread(io.BytesIO(base64.b64decode(text)), format="png")).astype(int) for text in found]


def test_each_cell_has_its_first_success_as_the_files_have_it(made: SimpleNamespace, cells: pd.DataFrame) -> None:
    with h5py.File(made.folder / "adversarial" / "test.h5") as file, h5py.File(made.folder / "dataset.h5") as dataset:
        stored = {name: file[name][...] for name in file}
        clean = dataset["test_images"][...].astype(float)
    assert len(cells) == 8
    for (norm, threshold, target), row in cells.iterrows():
        inside = (stored["norm"] == norm.encode()) & (stored["threshold"] == threshold)
        inside &= stored["target"] == target.encode()
        assert row["source_index"] == stored["source_index"][inside].min()
        place = np.flatnonzero(inside & (stored["source_index"] == row["source_index"]))[0]
        assert (row["label"], row["prediction"]) == (stored["labels"][place], stored["target_prediction"][place])
        assert row["margin"] == stored["margin"][place]
        change = stored["images"][place] - clean[int(row["source_index"])]
        assert row["changed_pixels"] == (np.abs(change).sum(axis=0) > 0).sum()
        assert row["linf"] == np.abs(change).max()
        assert row["l2"] == pytest.approx(np.linalg.norm(change) / 255)
        assert row["successes"] == inside.sum()


def test_distances_by_hand(cells: pd.DataFrame) -> None:
    # Grey level 3 in one channel of three pixels becomes 255; all of 3 x 8 x 8 values are one brighter.
    three, one = cells.loc[("l0", 3, "lenet")], cells.loc[("linf", 1, "resnet")]
    assert (three["source_index"], three["changed_pixels"], three["linf"]) == (3, 3, 252)
    assert three["l2"] == pytest.approx(252 / 255 * 3**0.5)
    assert (one["source_index"], one["changed_pixels"], one["linf"]) == (4, 64, 1)
    assert one["l2"] == pytest.approx(192**0.5 / 255)


def test_the_drawing_shows_clean_adversarial_and_difference(made: SimpleNamespace) -> None:
    drawing = (made.folder / "figures" / "examples.svg").read_text()
    shown = pictures(drawing)
    assert len(shown) == 8 * 3
    # The first row and target: L0 1 on lenet, grey level 1, the first value of one pixel 255.
    rows = {tuple(image[0, 0, :3]) for image in shown}
    assert {(1, 1, 1), (255, 1, 1), (255, 128, 128)} <= rows
    assert drawing.count("1 → 0") + drawing.count("0 → 1") == 8
    assert {"LeNet", "ResNet", "L0 10", "L∞ 10"} <= set(re.findall(r">([^<>]+)</text>", drawing))


def test_differences_are_scaled_to_the_threshold_or_halved() -> None:
    clean = np.array([100, 100, 100, 0, 255], np.uint8).reshape(1, 1, 5)
    adversarial = np.array([103, 97, 100, 255, 0], np.uint8).reshape(1, 1, 5)
    assert difference_on_grey(clean, adversarial, norm="linf", threshold=3)[0, 0, :3].tolist() == [255, 1, 128]
    assert difference_on_grey(clean, adversarial, norm="l0", threshold=2)[0, 0, 2:].tolist() == [128, 255, 0]


def test_a_cell_without_a_success_is_blank_and_says_so(made: SimpleNamespace) -> None:
    without = made.study.examples.query("not (norm == 'l0' and threshold == 1 and target == 'lenet')")
    data = examples(replace(made.study, examples=without), made.config)
    assert data["source_index"].isna().sum() == 1
    drawing = svg_text(draw(data, made.config))
    assert len(pictures(drawing)) == 7 * 3
    assert drawing.count("none of 50") == 1


def test_nothing_to_show_is_said(made: SimpleNamespace, tmp_path: Path) -> None:
    for study in (collect(StudyFiles()), collect(replace(made.files, images=()))):
        data = examples(study, made.config)
        assert data["source_index"].isna().all()
        assert "no adversarial test image" in svg_text(draw(data, made.config))
    nothing = FabricatedStudy(tmp_path, config_of())
    nothing.dataset()
    nothing.adversarial_sets(successes=0)
    assert collect(nothing.files).examples.empty


def test_a_set_of_another_data_set_is_refused(tmp_path: Path) -> None:
    files = fabricate(tmp_path, config_of({"alone": ["error"]}, seeds=[0]), networks=1).files
    arrays, attributes = read_arrays(tmp_path / "dataset.h5", "dataset")
    write_arrays(tmp_path / "dataset.h5", "dataset", arrays, attributes | {"fingerprint": "cd" * 32})
    with pytest.raises(ArtifactError, match=r"test\.h5: expected dataset_fingerprint"):
        collect(files)


# Names are people's own: dollars, carets and underscores came as formulas, or as a traceback in the last rule.
@pytest.mark.parametrize(
    ("one", "other"), [("$5_bill", "a_$x_"), ("a_$x_", "b$^"), (r"\frac{", "<i>&amp;"), ("日本", "中")]
)
def test_names_of_classes_are_drawn_as_they_are(
    made: SimpleNamespace, tmp_path: Path, one: str, other: str, caplog: pytest.LogCaptureFixture
) -> None:
    names = {"0": one, "1": other}
    named = {name: made.study.examples[name].map(names) for name in ("class_name", "predicted_class")}
    study = replace(made.study, examples=made.study.examples.assign(**named))
    with figure_settings():
        save(draw(examples(study, made.config), made.config), tmp_path / "examples")
    drawn = {html.unescape(text) for text in re.findall(r">([^<>]+)</text>", (tmp_path / "examples.svg").read_text())}
    assert {f"{one} → {other}", f"{other} → {one}"} & drawn
    boxes = bool(lacking(one, families(one)))
    assert ("the PNG shows numbers of classes instead" in caplog.text) == boxes


def test_characters_of_other_fonts_are_taken_from_them() -> None:
    both = [{chr(c) for c in get_font(findfont(name)).get_charmap()} for name in (FAMILY, "STIXGeneral")]
    character = min(both[1] - both[0])
    assert families("plain") == [FAMILY]
    found = families(f"a {character}")
    assert found[0] == FAMILY
    assert len(found) > 1
    assert lacking(character, [FAMILY]) == character
    assert lacking(f"a {character}", found) == ""


def test_what_no_font_has_is_a_number_and_no_box(caplog: pytest.LogCaptureFixture) -> None:
    figure = Figure()
    # Not assigned, and never will be.
    text = figure.text(0.5, 0.5, "a \U0003fffd", label="0 → 1")
    figure.text(0.5, 0.2, "plain", label="another")
    show_numbers_instead(figure)
    assert text.get_text() == "0 → 1"
    assert [other.get_text() for other in figure.texts] == ["0 → 1", "plain"]
    assert "no font of this machine has '\U0003fffd'" in caplog.text
