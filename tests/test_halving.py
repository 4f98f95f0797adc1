"""Which genomes stop: only those that another one of the job leaves behind in everything."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roco.config import HalvingConfig
from roco.halving import stopped

HALVING = HalvingConfig(epochs=2, margin=0.1, loss_margin=0.2)


def rung(key: str, error: float, adversarial: float, flops: int, losses: list[float], **more: Any) -> dict[str, Any]:
    cells = [{"target": "lenet", "norm": norm, "threshold": 1, "images": 10} for norm in ("l0", "linf")]
    return {
        "key": key,
        "status": "ok",
        "epochs": 2,
        "error": error,
        "adversarial_error": adversarial,
        "adversarial_breakdown": [cell | {"errors": 10 * adversarial} for cell in cells],
        "flops": flops,
        "parameters": flops // 10,
        "train_loss": losses,
        **more,
    }


GOOD = rung("good", 0.25, 0.25, 100, [1.0, 0.5])


@pytest.mark.parametrize(
    ("other", "stops"),
    [
        (rung("other", 0.5, 0.5, 100, [2.0, 1.0]), True),
        # Just at each margin: 0.25 + 0.1 and 1.5 = 0.8 * 1.875.
        (rung("other", 0.35, 0.35, 100, [1.0, 0.875]), True),
        (rung("other", 0.34, 0.5, 100, [2.0, 1.0]), False),
        (rung("other", 0.5, 0.34, 100, [2.0, 1.0]), False),
        (rung("other", 0.5, 0.5, 99, [2.0, 1.0]), False),
        (rung("other", 0.5, 0.5, 100, [1.0, 0.874]), False),
        (rung("other", 0.5, 0.5, 100, [2.0, 1.0], status="failed"), False),
    ],
)
def test_one_stops_that_is_behind_by_every_margin(other: dict[str, Any], stops: bool) -> None:
    reasons = stopped([GOOD, other], ["error", "flops"], HALVING)
    assert list(reasons) == (["other"] if stops else [])
    for reason in reasons.values():
        assert reason.startswith("after 2 epochs good was better in all of adversarial_error, error, flops and")


def test_a_failed_one_stops_nobody() -> None:
    assert not stopped([GOOD | {"status": "failed"}, rung("other", 0.9, 0.9, 900, [9.0, 9.0])], [], HALVING)


def test_every_searchs_objectives_count() -> None:
    slow = GOOD | {"measured": {"latency": 2.0}}
    fast = rung("other", 0.9, 0.9, 900, [9.0, 9.0], measured={"latency": 1.0})
    assert list(stopped([slow, fast], ["error"], HALVING)) == ["other"]
    assert not stopped([slow, fast], ["error", "latency"], HALVING)
    light = rung("other", 0.9, 0.9, 900, [9.0, 9.0]) | {"parameters": 1}
    assert not stopped([GOOD, light], ["parameters"], HALVING)
    # A part of the adversarial set has the margin of the whole.
    strong = rung("other", 0.9, 0.9, 900, [9.0, 9.0])
    strong["adversarial_breakdown"][1]["errors"] = 3
    assert list(stopped([GOOD, strong], ["adversarial_error[l0]"], HALVING)) == ["other"]
    assert not stopped([GOOD, strong], ["adversarial_error[linf]"], HALVING)


shares = st.sampled_from([0.0, 0.05, 0.1, 0.2, 0.5, 0.9])
jobs = st.lists(st.tuples(shares, shares, st.integers(1, 4), st.sampled_from([0.5, 1.0, 2.0])), min_size=1, max_size=8)


@given(jobs, st.randoms(use_true_random=False))
def test_whoever_stops_is_behind_one_that_goes_on_whatever_the_order(job: list[Any], random: Any) -> None:
    rungs = [rung(f"{place}", *values, [loss]) for place, (*values, loss) in enumerate(job)]
    reasons = stopped(rungs, [], HALVING)
    for record in rungs:
        ahead = [
            other
            for other in rungs
            if other["key"] not in reasons
            and other["flops"] <= record["flops"]
            and all(other[name] + 0.1 <= record[name] for name in ("error", "adversarial_error"))
            and sum(other["train_loss"]) <= 0.8 * sum(record["train_loss"])
        ]
        assert bool(ahead) == (record["key"] in reasons)
    random.shuffle(rungs)
    assert stopped(rungs, [], HALVING) == reasons
