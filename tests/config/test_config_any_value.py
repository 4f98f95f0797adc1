"""Any value anywhere in a configuration: taken, or refused in one line."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roco.config import StudyConfig, check_config
from roco.errors import ConfigError

WHOLE = check_config({"experiment": "try", "dataset": {"name": "digits"}}).model_dump()
SPOTS = [(section,) for section in WHOLE] + [
    (section, key) for section, content in WHOLE.items() if isinstance(content, dict) for key in content
]
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**40), 2**40),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.integers() | st.text(max_size=3), max_size=3),
    st.dictionaries(st.text(max_size=5) | st.integers(), st.none() | st.text(max_size=3), max_size=2),
)


def config_or_refusal(raw: dict[str, Any]) -> StudyConfig | str:
    try:
        return check_config(raw)
    except ConfigError as error:
        return str(error)


@given(spot=st.sampled_from(SPOTS), junk=JUNK)
def test_any_value_anywhere_is_taken_or_refused_in_one_line(spot: tuple[str, ...], junk: object) -> None:
    raw = copy.deepcopy(WHOLE)
    section = raw
    for key in spot[:-1]:
        section = section[key]
    section[spot[-1]] = junk
    found = config_or_refusal(raw)
    if isinstance(found, str):
        assert "\n" not in found
        assert found.startswith("configuration: ")
    else:
        assert StudyConfig.model_validate(found.model_dump()) == found


@given(st.sampled_from([spot for spot in SPOTS if len(spot) == 2]), st.data())
def test_a_misspelt_key_is_refused_by_name(spot: tuple[str, str], data: st.DataObject) -> None:
    section, key = spot
    position = data.draw(st.integers(0, len(key) - 1))
    misspelt = key[:position] + key[position + 1 :]
    raw = copy.deepcopy(WHOLE)
    raw[section][misspelt] = raw[section].pop(key)
    if section == "targets" and misspelt in WHOLE["targets"]:
        return
    with pytest.raises(ConfigError, match=section):
        check_config(raw)
