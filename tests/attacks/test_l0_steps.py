"""sigma-zero and sparse PGD step by step, beside their definitions by torch's own optimiser and gradients."""

import pytest
import torch
from torch import Tensor

from roco.attacks.l0 import MaskedGradient, SigmaZero
from roco.attacks.l0.counter import keys_of
from roco.attacks.l0.masked_gradient import PATIENCE
from roco.attacks.l0.steps import Iterates, SteppedAttack
from roco.attacks.norms import changed_pixels, margin_gradients, margins
from roco.training.batches import to_unit


@pytest.fixture
def begin(convolutional, make_split) -> Iterates:
    split = make_split(convolutional, 6)
    images, labels = to_unit(torch.from_numpy(split.images)), torch.from_numpy(split.labels)
    return Iterates(torch.arange(6), labels, images, images, torch.zeros(6), keys_of(0, rows=range(6)), images)


def moved(settings: SteppedAttack, state: Iterates, network: torch.nn.Module, *, step: int, k: int) -> None:
    found, gradient = margin_gradients(network, state.current, labels=state.labels, batch_size=64)
    settings.next(state, found, gradient, n_pixels=k, step=step)


def test_sigma_zero_is_adam_on_the_margin_and_the_smooth_count(convolutional, begin: Iterates) -> None:
    clean, labels, settings = begin.clean, begin.labels, SigmaZero(steps=6, margin=0.5)
    change = torch.zeros_like(clean, requires_grad=True)
    optimiser = torch.optim.Adam([change], lr=1.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=6, eta_min=0.1)
    threshold, was_held = torch.full((6,), 0.3), []
    state = settings.first(begin, 3)
    for step in range(6):
        images = clean + change
        # Rounded for the network only.
        margin = margins(convolutional(images + ((images * 255).round() / 255 - images).detach()), labels)
        size = change.square().sum(dim=1)
        count = (size / (size + 1e-3)).flatten(1).mean(dim=1)
        optimiser.zero_grad()
        ((0.5 - margin).clamp_min(0) + count).sum().backward()
        change.grad /= change.grad.abs().amax(dim=(1, 2, 3), keepdim=True).clamp_min(1e-12)
        rate = schedule.get_last_lr()[0]
        optimiser.step()
        schedule.step()
        held = margin < 0.5
        was_held.append(held)
        threshold += torch.where(held, -0.01, 0.01) * rate
        with torch.no_grad():
            change.copy_((clean + change).clamp(0, 1) - clean)
            change *= change.abs().amax(dim=1, keepdim=True) >= threshold.clamp(0, 1)[:, None, None, None]
        moved(settings, state, convolutional, step=step, k=3)
        torch.testing.assert_close(state.change, change.detach(), rtol=0, atol=1e-3)
    # Both branches were gone through.
    assert torch.stack(was_held).any()
    assert not torch.stack(was_held).all()


@pytest.mark.parametrize("unprojected", [True, False])
def test_masked_gradient_follows_the_gradients_of_the_change_and_of_the_mask(
    convolutional, begin: Iterates, unprojected: bool
) -> None:
    settings = MaskedGradient(unprojected=unprojected)
    state = settings.first(begin, 3)
    change, mask = (getattr(state, name).clone().requires_grad_() for name in ("change", "mask"))

    def kept_of(values: Tensor) -> Tensor:
        return (values >= values.topk(3, dim=1).values[:, -1:]).float()

    soft, kept = mask.sigmoid(), kept_of(mask.detach())
    # The mask is projected on the way there and not on the way back.
    through = (soft + (kept - soft).detach()).view(6, 1, *change.shape[2:])
    images = begin.clean + change * through
    rounded = (images.detach() * 255).round() / 255
    torch.testing.assert_close(state.current, rounded)
    margin = margins(convolutional(images + (rounded - images).detach()), begin.labels).sum()
    by_change, by_mask = torch.autograd.grad(margin, (change, mask))
    if unprojected:
        (of_images,) = torch.autograd.grad(
            margins(convolutional(rounded.requires_grad_()), begin.labels).sum(), rounded
        )
        by_change = of_images * soft.detach().view(6, 1, *change.shape[2:])
    expected = (change.detach() + 0.25 * by_change.sign()).clamp(-1, 1)
    expected = (begin.clean + expected).clamp(0, 1) - begin.clean
    moved(settings, state, convolutional, step=0, k=3)
    torch.testing.assert_close(state.change, expected)
    step = 0.25 * by_mask[0].numel() ** 0.5 * 3**0.5
    torch.testing.assert_close(state.mask, mask.detach() + step * by_mask / by_mask.norm(dim=1, keepdim=True))


def test_a_mask_that_stays_is_drawn_anew_and_no_iterate_has_too_many_pixels(convolutional, begin: Iterates) -> None:
    settings = MaskedGradient()
    state = settings.first(begin, 3)
    nothing = torch.zeros_like(begin.clean)
    masks = [state.mask]
    for step in range(2 * PATIENCE):
        settings.next(state, begin.margins, nothing, n_pixels=3, step=step)
        masks.append(state.mask)
        assert (changed_pixels(begin.clean, state.current) <= 3).all()
    changes = [step for step in range(1, len(masks)) if not torch.equal(masks[step], masks[step - 1])]
    assert changes == [PATIENCE, 2 * PATIENCE]
