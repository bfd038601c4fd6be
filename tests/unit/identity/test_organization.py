import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.identity.organization import (
    KEPT_DAYS_MAX,
    NO_SETTINGS,
    SETTING_NAMES,
    OrganizationSettings,
    merge_settings,
    read_settings,
)

FOREIGN = {"code_indexing_enabled": True, "minimum_balance": None, "": []}
lists = st.lists(st.text(max_size=5), max_size=4).map(tuple)
changes = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(SETTING_NAMES[:4], st.none() | lists),
        "data_collection": st.sampled_from([None, "allow", "deny"]),
        "prompt_prefix_days": st.none() | st.integers(1, KEPT_DAYS_MAX),
        "request_log_days": st.none() | st.integers(1, KEPT_DAYS_MAX),
    },
)


def test_what_is_not_ours_is_not_read() -> None:
    assert read_settings({}) == read_settings(FOREIGN) == read_settings(dict.fromkeys(SETTING_NAMES)) == NO_SETTINGS
    stored = {**FOREIGN, "model_allow_list": ["b", "a"], "data_collection": "deny"}
    assert read_settings(stored) == OrganizationSettings(model_allow_list=("b", "a"), data_collection="deny")


@pytest.mark.parametrize(
    "stored",
    [
        {"model_allow_list": "a/b"},
        {"model_deny_list": [1]},
        {"provider_allow_list": {}},
        {"provider_deny_list": [None]},
        {"data_collection": "Deny"},
        {"data_collection": False},
        {"prompt_prefix_days": 0},
        {"prompt_prefix_days": True},
        {"request_log_days": KEPT_DAYS_MAX + 1},
        {"request_log_days": "7"},
    ],
)
def test_what_cannot_be_read_is_not_taken_for_no_restriction(stored: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(stored))):
        read_settings(stored)


@given(changes, changes)
def test_a_change_is_what_is_read_afterwards_and_touches_nothing_else(first: dict, second: dict) -> None:
    merged = merge_settings(merge_settings(FOREIGN, first), second)
    expected = {name: value for name, value in {**first, **second}.items() if value}
    assert read_settings(merged) == OrganizationSettings(**expected)
    assert {name: value for name, value in merged.items() if name not in SETTING_NAMES} == FOREIGN
    assert merge_settings(merged, second) == merged
