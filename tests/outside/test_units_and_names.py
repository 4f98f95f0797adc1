"""Budgets in the units of other libraries, and names that the report uses itself.

Met wherever attacks of several libraries are compared: one has eps in [0, 1] (8/255 is 0.031), the next in levels of an
image, and a budget in the wrong one makes a network look robust. Names: an attack called `test` took the place of the
accuracy on test images.
"""

from collections.abc import Mapping
from typing import Any

import pytest

from roco.attacks.settings import RESERVED_BEGINNING, RobustnessConfig
from roco.attacks.white_box import PGD
from roco.config import StudyConfig, check_config
from roco.errors import ConfigError

STEPS = {"method": "pgd", "steps": 3}


def checked(**robustness: Any) -> StudyConfig:
    return check_config({"experiment": "a", "dataset": {"name": "digits"}, "robustness": robustness})


def pgd_of(eps: Any, alpha: Any) -> PGD:
    attack = checked(attacks={"a": {**STEPS, "eps": eps, "alpha": alpha}}).robustness.attacks["a"]
    assert isinstance(attack, PGD)
    return attack


@pytest.mark.parametrize(
    ("eps", "alpha", "levels"),
    [
        (8, 2, (8.0, 2.0)),
        ("8/255", "2/255", (8.0, 2.0)),
        ("0.5 / 255", "0.1/255.0", (0.5, 0.1)),
        (1.0, 0.25, (1.0, 0.25)),
    ],
)
def test_a_budget_is_a_number_of_levels_or_says_its_unit(eps: Any, alpha: Any, levels: tuple[float, float]) -> None:
    attack = pgd_of(eps, alpha)
    assert (attack.eps, attack.alpha) == levels


@pytest.mark.parametrize(
    ("robustness", "key", "write"),
    [
        ({"attacks": {"a": {**STEPS, "eps": 0.031, "alpha": 2.0}}}, "attacks.a.eps", "7.91/255"),
        ({"attacks": {"a": {**STEPS, "eps": 0.3, "alpha": 2.0}}}, "attacks.a.eps", "76.5/255"),
        ({"attacks": {"a": {**STEPS, "eps": 8.0, "alpha": 0.007}}}, "attacks.a.alpha", "1.79/255"),
        ({"attacks": {"a": {"method": "autoattack", "eps": 0.031}}}, "attacks.a.eps", "7.91/255"),
        ({"curve": {"radii": [0.0314, 1.0]}}, "curve.radii.0", "8.01/255"),
        ({"checks": {"eps": 0.031}}, "checks.eps", "7.91/255"),
    ],
)
def test_a_number_in_the_units_of_others_is_refused_with_what_to_write(
    robustness: Mapping[str, Any], key: str, write: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        checked(**robustness)
    line = str(caught.value)
    assert f"robustness.{key}: " in line
    assert f"write {write} if" in line
    assert "\n" not in line


@pytest.mark.parametrize("text", ["0.031", "8/256", "8", "x/255", "/255", "8/0", "300/255", "nan/255", "-1/255"])
def test_text_that_says_no_budget_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"robustness.attacks.a.eps: expected"):
        pgd_of(text, 2.0)


def test_what_a_job_is_given_is_what_was_written() -> None:
    # Rules hand the configuration on as plain data, which is checked again.
    config = checked(
        attacks={"a": {**STEPS, "eps": "0.1/255", "alpha": "0.025/255"}}, curve={"radii": ["0.1/255", 0.25, 8.0]}
    )
    plain = config.model_dump(mode="json")
    assert check_config(plain) == config
    assert RobustnessConfig(**plain["robustness"]) == config.robustness
    attack = config.robustness.attacks["a"]
    assert isinstance(attack, PGD)
    assert (attack.eps, attack.alpha) == (0.1, 0.025)
    # What is computed from a budget is never refused.
    assert PGD(method="pgd", eps=0.1, alpha=0.1 / 4, steps=3).alpha == 0.025


@pytest.mark.parametrize("name", ["test", "adversarial_set", "flops", "seed", f"{RESERVED_BEGINNING}8"])
def test_an_attack_is_not_called_like_something_of_the_report(name: str) -> None:
    with pytest.raises(ConfigError, match=f"robustness.attacks.{name}: expected another name .*'{name}'"):
        checked(attacks={name: {**STEPS, "eps": 8.0, "alpha": 2.0}})
