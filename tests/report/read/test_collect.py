from pathlib import Path
from types import SimpleNamespace

import pytest
from fabricated_study import FabricatedStudy, config_of
from made_records import failed_training, measured_network

from roco.errors import ArtifactError
from roco.report.read.collect import StudyFiles, collect, dataset_facts


def test_no_files_give_empty_frames_with_their_columns() -> None:
    study = collect(StudyFiles())
    assert list(study.targets.columns)[:3] == ["split", "target", "parameters"]
    assert study.adversarial is None
    assert all(frame.empty for name, frame in vars(study).items() if name != "adversarial")
    assert study.retrained.empty


def test_place_of_an_evaluation_comes_from_its_folder(made: SimpleNamespace) -> None:
    found = made.study.evaluations.groupby(["search", "seed", "generation"]).size()
    assert found["initial", 2, 0] == 16
    assert found["roco", 1, 3] == 8
    assert set(made.study.evaluations["seed"]) == {0, 1, 2}


def test_empty_slots_are_left_out_and_failed_ones_kept(made: SimpleNamespace) -> None:
    assert len(made.files.robustness) == 2 * 3 * 7 + 1
    assert made.study.networks["status"].value_counts().to_dict() == {"ok": 31, "failed": 6}
    assert len(made.study.retrained) == 31
    assert len(made.study.attacks) == 31 * 5
    assert len(made.study.breakdown) == 31 * 4


def test_counts_of_correct_images(made: SimpleNamespace) -> None:
    for row in made.study.retrainings.itertuples():
        assert row.test_correct / row.test_images == pytest.approx(row.test_accuracy)
        assert row.adversarial_images == 115
        assert row.adversarial_accuracy == row.adversarial_correct / 115


def test_a_failed_network_has_no_accuracy(tmp_path: Path) -> None:
    study = FabricatedStudy(tmp_path, config_of())
    study.slot(failed_training(reason="out of memory").model_dump())
    networks = collect(study.files).networks
    assert networks["reason"].tolist() == ["out of memory"]
    assert networks["test_images"].isna().all()


def test_incomplete_slot_is_one_clear_line(tmp_path: Path) -> None:
    study = FabricatedStudy(tmp_path, config_of())
    content = measured_network().model_dump()
    del content["right_images"]
    study.slot(content)
    with pytest.raises(ArtifactError, match=r"robustness\.json: not what 'robustness' holds .*ok\.right_images"):
        collect(study.files)


def test_file_of_another_kind_is_refused(made: SimpleNamespace) -> None:
    with pytest.raises(ArtifactError, match="expected an artifact of kind 'front'"):
        collect(StudyFiles(fronts=made.files.populations[:1]))


def test_names_of_a_rule_become_the_files() -> None:
    source = SimpleNamespace(targets=["a", "b"], fronts=["c"], dataset="d")
    assert StudyFiles.from_names(source) == StudyFiles(targets=("a", "b"), fronts=("c",))


def test_dataset_facts(made: SimpleNamespace) -> None:
    attributes, images = dataset_facts(made.folder / "dataset.h5")
    assert attributes["name"] == "digits"
    assert images == {"train": 90, "validation": 10, "test": 60}
