"""The adversarial sets: images that were made to fool the targets, cell by cell (target, norm, threshold)."""

from roco.attacks.sets.adversarial_set import KIND, AdversarialSet, adversarial_error, breakdown, join_cells
from roco.attacks.sets.cell import Cell

__all__ = ["KIND", "AdversarialSet", "Cell", "adversarial_error", "breakdown", "join_cells"]
