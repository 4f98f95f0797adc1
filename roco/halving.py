"""Successive halving within a job: which genomes are not worth the rest of their training. How they are trained and
measured is elsewhere.

A genome stops only if another one of its job is better in everything that any search minimises, and learns better, by
margins. The other one's own objectives then decide; no stopped genome is ever in a front.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from roco.config import HalvingConfig
from roco.objectives import parse, value_of

# What every evaluation measures; a search may minimise more.
ALWAYS = ("error", "adversarial_error", "flops")
# Shares, of which the margin is an absolute part; others are costs, known for certain or without a scale.
SHARES = ("error", "adversarial_error")


def stopped(rungs: Sequence[Mapping[str, Any]], objectives: Sequence[str], halving: HalvingConfig) -> dict[str, str]:
    """The genomes that stop at the rung, by key, with the reason.

    Args:
        rungs: the records of a job's genomes as they were measured there.
        objectives: all that any search minimises.
        halving: the margins.

    Returns:
        Empty where none stops. One that failed neither stops nor makes another one stop. The order has no say.

    Source: Jamieson and Talwalkar 2016, for several objectives. Differs from it: not a fixed share stops, but what is
    dominated, so that there may be none.
    """
    names = sorted({*ALWAYS, *objectives})
    sound = sorted((rung for rung in rungs if rung["status"] == "ok"), key=lambda rung: str(rung["key"]))
    reasons: dict[str, str] = {}
    for rung in sound:
        better = next((other for other in sound if dominates(other, rung, names, halving)), None)
        if better is not None:
            where = f"{', '.join(names)} and in its losses"
            reasons[rung["key"]] = f"after {rung['epochs']} epochs {better['key']} was better in all of {where}"
    return reasons


def dominates(
    one: Mapping[str, Any], other: Mapping[str, Any], objectives: Sequence[str], halving: HalvingConfig
) -> bool:
    """Whether `one` is better than `other` by the margins: in errors, in the sum of losses; and in no cost worse."""

    def ahead(text: str) -> bool:
        margin = halving.margin if parse(text)[0] in SHARES else 0.0
        return value_of(text, one) + margin <= value_of(text, other)

    losses = [sum(record["train_loss"]) for record in (one, other)]
    return losses[0] <= (1 - halving.loss_margin) * losses[1] and all(map(ahead, objectives))
