import pytest
import torch

from roco.attacks.norms import changed_pixels, largest_change, margins, within_budget


def test_a_pixel_counts_once_however_many_channels_change() -> None:
    clean = torch.zeros((2, 3, 4, 4), dtype=torch.uint8)
    images = clean.clone()
    images[0, :, 1, 2] = 9
    images[0, 1, 3, 3] = 1
    assert changed_pixels(clean, images).tolist() == [2, 0]


def test_a_change_does_not_wrap_around() -> None:
    clean = torch.tensor([255, 0, 7], dtype=torch.uint8).view(3, 1, 1, 1)
    images = torch.tensor([0, 255, 10], dtype=torch.uint8).view(3, 1, 1, 1)
    assert largest_change(clean, images).tolist() == [255, 255, 3]


@pytest.mark.parametrize(("norm", "threshold", "expected"), [("l0", 1, False), ("l0", 2, True), ("linf", 8, False)])
def test_the_budget_is_inclusive(norm: str, threshold: int, expected: bool) -> None:
    clean = torch.zeros((1, 3, 4, 4), dtype=torch.uint8)
    images = clean.clone()
    images[0, 0, 0, :2] = 9
    assert within_budget(clean, images, norm=norm, threshold=threshold).tolist() == [expected]


def test_margins_by_hand() -> None:
    logits = torch.tensor([[1.0, 3.0, 2.0], [-5.0, -2.0, -9.0], [float("nan"), 0.0, 0.0]])
    assert margins(logits, torch.tensor([1, 0, 1])).tolist() == [-1.0, 3.0, -torch.inf]
