"""The page on own data sets: its example is applied to a copy of the library, with the test that it gives."""

import importlib.util
from pathlib import Path

import numpy as np
from changed_copy import ROOT, code_of, copy_library, replace_once, run_python

from roco.data.dataset import read_source
from roco.data.sets import DATA_SETS
from roco.data.settings import DatasetConfig


def test_the_pages_data_set_is_one_file_and_one_line(tmp_path: Path) -> None:
    _, module, test = code_of("own-data-set")
    copy = copy_library(tmp_path)
    (copy / "roco/data/sets/textures.py").write_text(module)
    data_sets = copy / "roco/data/sets/__init__.py"
    replace_once(data_sets, "npz, svhn", "npz, svhn, textures")
    replace_once(data_sets, "image_folder.DATA_SET,", "image_folder.DATA_SET,\n        textures.DATA_SET,")
    (copy / "test_textures.py").write_text(test)
    assert "1 passed" in run_python(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_textures.py")
    check = "from roco.data.settings import DatasetConfig; DatasetConfig(name='texture')"
    code = f"try: {check}\nexcept ValueError as error: print(error)"
    assert "'image_folder' or 'textures'" in run_python(copy, "-c", code)


def test_the_declaration_of_digits_says_what_they_are() -> None:
    from sklearn.datasets import load_digits

    digits = DATA_SETS["digits"]
    source = read_source(DatasetConfig(name="digits", image_size=16))
    assert digits.sizes is not None
    assert digits.sizes.train + digits.sizes.test == len(source.train.labels)
    assert digits.sizes.classes == len(source.class_names)
    assert digits.pixels == (*load_digits().images.shape[1:], 1)


def test_known_sizes_respect_the_limits_and_an_npz_is_counted(tmp_path: Path) -> None:
    known = DatasetConfig(name="cifar100", train_images=500, test_images=20_000).known_sizes()
    assert known is not None
    assert (known.train, known.test, known.classes) == (500, 10_000, 100)
    np.savez(tmp_path / "mine.npz", y_train=np.zeros(7), y_test=np.zeros(3))
    own = DatasetConfig(name="npz", path=str(tmp_path / "mine.npz")).known_sizes()
    assert own is not None
    assert (own.train, own.test) == (7, 3)
    assert DatasetConfig(name="image_folder", path=str(tmp_path)).known_sizes() is None


def test_the_page_has_a_row_for_each_published_data_set() -> None:
    spec = importlib.util.spec_from_file_location("data_sets_hook", ROOT / "docs/hooks/data_sets.py")
    assert spec is not None
    assert spec.loader is not None
    hook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hook)
    page = hook.on_page_markdown((ROOT / "docs/how-to/own-data-set.md").read_text())
    assert "| `fashion_mnist` | Fashion-MNIST | 60,000 | 10,000 | 10 | 28 x 28, grey |" in page
    assert "| `npz` |" not in page
