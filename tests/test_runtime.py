import hashlib
import logging
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from roco import gpus, runtime
from roco.errors import ConfigError


@pytest.fixture
def torch_settings() -> Iterator[None]:
    """Puts torch's global settings back."""
    deterministic, threads = torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    fill = torch.utils.deterministic.fill_uninitialized_memory
    yield
    torch.utils.deterministic.fill_uninitialized_memory = fill
    torch.use_deterministic_algorithms(deterministic)
    torch.set_num_threads(threads)


# ---------------------------------------------------------------------------------------------------------------
# Seeds


def test_a_seed_is_63_bits_of_its_parts() -> None:
    expected = int(hashlib.sha256(b"train\x1f0\x1f12").hexdigest()[:16], 16) // 2
    assert runtime.seed_from("train", 0, 12) == expected < 2**63
    parts = [("a", "b"), ("ab",), ("b", "a"), ("a", "b", ""), ("a", 1), ("a", 11)]
    assert len({runtime.seed_from(*part) for part in parts}) == len(parts)


def test_generators_follow_their_parts() -> None:
    numpy_draws = [runtime.numpy_generator("x", seed).random(4) for seed in (1, 1, 2)]
    torch_draws = [torch.rand(4, generator=runtime.torch_generator("x", seed)).numpy() for seed in (1, 1, 2)]
    for first, same, other in (numpy_draws, torch_draws):
        assert np.array_equal(first, same)
        assert not np.array_equal(first, other)


def test_generators_leave_the_global_ones_alone() -> None:
    state = torch.random.get_rng_state()
    torch.rand(3, generator=runtime.torch_generator(0))
    assert torch.equal(torch.random.get_rng_state(), state)


# ---------------------------------------------------------------------------------------------------------------
# Devices


@pytest.mark.usefixtures("torch_settings")
def test_torch_starts_deterministic_on_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(2)
    torch.use_deterministic_algorithms(False)
    assert runtime.start_torch("cpu") == torch.device("cpu")
    assert torch.get_num_threads() == 1
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.utils.deterministic.fill_uninitialized_memory
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(runtime, "has_nvidia_driver", lambda: True)
    # A driver without a torch that can use it.
    assert runtime.start_torch("auto") == torch.device("cpu")
    with pytest.raises(ConfigError, match="expected a GPU for 'cuda', but torch sees none"):
        runtime.start_torch("cuda")


@pytest.mark.parametrize(
    ("asked", "driver", "device"),
    [("auto", True, "cuda"), ("auto", False, "cpu"), ("cpu", True, "cpu"), ("cuda", False, "cuda")],
)
def test_auto_is_a_gpu_where_there_is_one(
    asked: runtime.Device, driver: bool, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "has_nvidia_driver", lambda: driver)
    assert runtime.resolve_device(asked) == device


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("processor: 0\nflags : fpu avx512_bf16 sse\n", True),
        ("flags : fpu avx512_bf16x avx512f\nbugs : avx512_bf16\n", False),
        ("", False),
        (None, False),
    ],
)
def test_the_processor_says_whether_it_has_bfloat16(text: str | None, expected: bool, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "cpuinfo").write_text(text)
    assert gpus.has_bfloat16_instructions(tmp_path / "cpuinfo") == expected


@pytest.mark.parametrize("has_it", [True, False])
def test_auto_is_bf16_on_a_processor_that_has_it_only(has_it: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "has_bfloat16_instructions", lambda: has_it)
    assert gpus.resolve_precision("auto", "cpu") == ("bf16" if has_it else "fp32")
    assert [gpus.resolve_precision(asked, "cpu") for asked in ("fp32", "bf16")] == ["fp32", "bf16"]


@pytest.mark.parametrize(
    ("capability", "expected"), [((9, 0), "bf16"), ((8, 0), "bf16"), ((7, 5), "fp32"), ((0, 0), "fp32")]
)
def test_auto_is_bf16_on_gpus_whose_matrix_units_multiply_it(
    capability: tuple[int, int], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpus, "compute_capability", lambda: capability)
    assert gpus.resolve_precision("auto", "cuda") == expected
    assert [gpus.resolve_precision(asked, "cuda") for asked in ("fp32", "bf16")] == ["fp32", "bf16"]


PAGE_FAULTS = """
import resource
import numpy as np
from roco.runtime import keep_freed_memory

if {keep}:
    keep_freed_memory()
np.ones(4_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    np.ones(4_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the allocator is not glibc's")
def test_freed_memory_is_used_again() -> None:
    kept, returned = (
        int(
            subprocess.run(
                [sys.executable, "-c", PAGE_FAULTS.format(keep=keep)], capture_output=True, check=True
            ).stdout
        )
        for keep in (True, False)
    )
    # 32 MB a turn, in pages of 4 kB or of 2 MB.
    assert kept < 20 <= returned


def test_versions_name_what_decides_numbers() -> None:
    found = runtime.versions()
    assert found["torch"] == torch.__version__.split("+")[0] or found["torch"] == torch.__version__
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert set(found) == {"python", "roco-nas", "torch", "torchattacks", "pymoo", "numpy", "h5py"}


def test_a_gpu_that_torch_cannot_use_is_said(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    import torch

    monkeypatch.setattr(runtime, "has_nvidia_driver", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with caplog.at_level(logging.WARNING, logger="roco"):
        assert runtime.start_torch("auto").type == "cpu"
    assert "cannot use its GPU: going on with the CPU" in caplog.text
