from pathlib import Path

import pytest
import torch
from made_records import description_of

from roco.errors import ArtifactError, GenomeError
from roco.networks.files import KIND, checksum_of, load_network, save_network, save_no_network
from roco.networks.spec import NetworkDescription, TargetSpec
from roco.space.settings import PUBLISHED_GENOMES
from roco.storage.artifacts import read_tensors, write_tensors

GENOME = description_of("0111-1010", stem_padding=1)
DENSE = description_of("0111-1010", stem_padding=1, node="dense")
WIDTHS = description_of("0111-1010", stem_padding=1, channels=[3, 3])
LENET = NetworkDescription(
    spec=TargetSpec(name="lenet", architecture={"width": 0.5}, classes=3, image_size=16),
    dataset="tiny",
    dataset_fingerprint="f00d",
    class_names=("a", "b", "c"),
)


def make(description: NetworkDescription, seed: int = 0) -> torch.nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return description.spec.build(mean=[0.1, 0.2, 0.3], std=[0.4, 0.5, 0.6])


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_network(tmp_path / "network.safetensors", make(GENOME), GENOME)
    return tmp_path / "network.safetensors"


@pytest.mark.parametrize("description", [GENOME, DENSE, WIDTHS, LENET], ids=["genome", "dense", "widths", "target"])
def test_a_network_reads_back_with_equal_logits(description: NetworkDescription, tmp_path: Path) -> None:
    network, images = make(description), torch.rand((4, 3, 16, 16), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        network(images)  # moves the running statistics
        expected = network.eval()(images)
        save_network(tmp_path / "n.safetensors", network.to(memory_format=torch.channels_last), description)
        loaded, described = load_network(tmp_path / "n.safetensors")
        assert torch.equal(loaded(images), expected)
    assert not loaded.training
    assert described == description


def test_a_description_is_enough_to_know_the_network() -> None:
    description = description_of(PUBLISHED_GENOMES["paper_roco"], channels=16, classes=10, image_size=32)
    network = make(description)
    assert sum(parameter.numel() for parameter in network.parameters()) == 338_394 == description.spec.cost.parameters
    with pytest.raises(GenomeError, match="got 'x'"):
        make(description_of("0x11"))


@pytest.mark.parametrize(
    "changes",
    [
        {"channels": 3},
        {"channels": [2]},
        {"channels": "x"},
        {"classes": 4},
        {"node": "dense"},
        {"genome": "0111-0111"},
        {"genome": "1010"},
        {"genome": "0x11"},
        {"family": "other"},
    ],
)
def test_weights_that_do_not_fit_their_description_are_refused(saved: Path, changes: dict[str, object]) -> None:
    tensors, description = read_tensors(saved, KIND)
    write_tensors(saved, KIND, tensors, description | changes)
    with pytest.raises(ArtifactError, match="its weights do not fit its description") as caught:
        load_network(saved)
    assert "\n" not in str(caught.value)


def test_the_file_of_a_failed_training_has_no_network(tmp_path: Path) -> None:
    save_no_network(tmp_path / "failed.safetensors")
    with pytest.raises(ArtifactError, match="holds no network"):
        load_network(tmp_path / "failed.safetensors")


def test_a_checksum_belongs_to_the_weights_and_the_description(saved: Path, tmp_path: Path) -> None:
    others = {
        "same": (0, GENOME),
        "weights": (1, GENOME),
        "description": (0, GENOME.model_copy(update={"dataset": "tiny"})),
    }
    for name, (seed, description) in others.items():
        save_network(tmp_path / name, make(GENOME, seed), description)
    assert checksum_of(saved) == checksum_of(tmp_path / "same")
    assert len({checksum_of(tmp_path / name) for name in others}) == 3
    assert saved.read_bytes() == (tmp_path / "same").read_bytes()
