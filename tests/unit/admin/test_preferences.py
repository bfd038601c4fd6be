from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.admin.preferences import NO_PREFERENCES, PREFERENCE_NAMES, check_preferences, read_preferences
from tollway.billing.notices import read_minimum
from tollway.errors import Problem
from tollway.identity.organization import merge_settings

ALERT: dict[str, Any] = {"minimum_balance_microdollars": 5, "minimum_balance_alert_email": ("A@example.com ",)}
JUNK = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers() | st.text()) | st.just({})


@given(st.dictionaries(st.sampled_from(PREFERENCE_NAMES) | st.text(), JUNK))
def test_whatever_is_stored_can_be_read(stored: dict[str, Any]) -> None:
    """What cannot be read is as good as absent: nothing here decides about a request."""
    read_preferences(stored)


@given(st.dictionaries(st.sampled_from(PREFERENCE_NAMES), JUNK))
def test_what_is_accepted_is_read_as_it_was_meant(entered: dict[str, Any]) -> None:
    tuples = {name: tuple(map(str, v)) if isinstance(v, list) else v for name, v in entered.items() if v != {}}
    checked = check_preferences(tuples)
    if not isinstance(checked, Problem):
        found = read_preferences({name: list(v) if isinstance(v, tuple) else v for name, v in checked.items()})
        for name in PREFERENCE_NAMES:
            assert getattr(found, name) == (checked.get(name) or getattr(NO_PREFERENCES, name))


def test_an_alert_has_an_amount_and_somebody_to_tell() -> None:
    checked = check_preferences(ALERT)
    assert not isinstance(checked, Problem)
    assert checked["minimum_balance_alert_email"] == ("a@example.com",)
    for name in ALERT:
        assert isinstance(check_preferences({name: ALERT[name]}), Problem)
    assert check_preferences(dict.fromkeys(ALERT)) == dict.fromkeys([*ALERT, "minimum_balance"])


def test_an_alert_that_came_from_elsewhere_counts_until_one_is_set() -> None:
    """In USD, as it was there; what is set or taken away here replaces it."""
    foreign = {"minimum_balance": 12.5, "minimum_balance_alert_email": ["a@example.com"]}
    assert read_preferences(foreign).minimum_balance_microdollars == 12_500_000
    ours = merge_settings(foreign, checked(ALERT))
    assert (read_preferences(ours).minimum_balance_microdollars, read_minimum(ours)) == (5, 5)
    assert read_minimum(merge_settings(ours, checked(dict.fromkeys(ALERT)))) is None


def checked(entered: dict[str, Any]) -> dict[str, Any]:
    found = check_preferences(entered)
    assert not isinstance(found, Problem)
    return found


@pytest.mark.parametrize("entered", [{"other": 1}, {"code_indexing_enabled": "yes"}])
def test_the_refusal_names_the_field(entered: dict[str, Any]) -> None:
    refused = check_preferences(entered)
    assert isinstance(refused, Problem)
    assert (refused.shown or "").startswith(next(iter(entered)))
