"""What is declared once of each white-box attack, and what is made from it."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from roco.attacks.settings import RobustnessConfig
from roco.attacks.white_box import ATTACKS, WITHOUT_GRADIENTS, UnboundedAttack, WhiteBoxAttack, method_of, title_of
from roco.attacks.white_box.attack import Attack

# What has no default. An attack of one's own may ask for more: then it has its own test.
REQUIRED: dict[str, Any] = {"eps": 8.0, "alpha": 2.0, "steps": 3, "norm": "l2", "pixels": 2}
REQUIRED |= {"attacks": [{"method": "greedy"}]}


def required(kind: type[Attack]) -> list[str]:
    return [name for name, field in kind.model_fields.items() if field.is_required() and name != "method"]


def smallest_settings(kind: type[Attack]) -> dict[str, Any]:
    return {"method": method_of(kind), **{name: REQUIRED[name] for name in required(kind)}}


KNOWN = [kind for kind in ATTACKS if set(required(kind)) <= set(REQUIRED)]
every = pytest.mark.parametrize("kind", KNOWN, ids=method_of)


def test_methods_are_different() -> None:
    assert len({method_of(kind) for kind in ATTACKS}) == len(ATTACKS) >= 14


@every
def test_a_configuration_accepts_each_attack(kind: type[Attack]) -> None:
    attack = TypeAdapter(WhiteBoxAttack).validate_python(smallest_settings(kind))
    assert type(attack) is kind
    assert RobustnessConfig(attacks={"a": attack}).with_budget == (["a"] if kind.has_budget else [])
    if kind.has_budget:
        with pytest.raises(ValidationError):
            TypeAdapter(UnboundedAttack).validate_python(smallest_settings(kind))
    else:
        assert type(TypeAdapter(UnboundedAttack).validate_python(smallest_settings(kind))) is kind


@every
def test_each_attack_consists_of_attacks(kind: type[Attack]) -> None:
    attack = TypeAdapter(WhiteBoxAttack).validate_python(smallest_settings(kind))
    assert all(isinstance(stage, Attack) for stage in attack.stages())


def test_flags_know_what_sees_no_gradients() -> None:
    assert {"square", "noise", "l0"} <= WITHOUT_GRADIENTS
    assert not {"pgd", "autoattack", "fab_t", "deepfool"} & WITHOUT_GRADIENTS


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("pgd", "PGD"),
        ("fgsm_0.1", "FGSM 0.1"),
        ("apgd_ce", "APGD CE"),
        ("pgd_strong", "PGD strong"),
        ("cw", "C&W"),
        ("cw_search", "C&W search"),
        ("deepfool_2", "DeepFool 2"),
        ("autoattack_8", "AutoAttack 8"),
        ("mine", "mine"),
    ],
)
def test_titles_of_names(name: str, title: str) -> None:
    assert title_of(name) == title
