from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.scenario import START, a_hold, outcome, record
from tollway.billing.ledger import Outcome
from tollway.storage.sql import key_use
from tollway.storage.sql.key_use import EVERY, KeyUse

uses = st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.integers(0, 300)), max_size=8)


def ended(*of: tuple[str | None, int]) -> list[Outcome]:
    """By key and second."""
    return [
        outcome(a_hold("r", 1), 1, record=record(key_id=key_id, created_at=START + timedelta(seconds=second)))
        for key_id, second in of
    ]


@given(st.lists(uses, max_size=6))
def test_what_is_shown_is_never_a_minute_behind(batches: list[list[tuple[str | None, int]]]) -> None:
    """And never ahead of the newest use."""
    one, written = KeyUse(), dict[str, datetime]()
    newest: dict[str, datetime] = {}
    for batch in batches:
        found = one.of(ended(*batch))
        for key_id, at in found.items():
            written[key_id] = max(at, written.get(key_id, at))  # as the statement does it
        one.wrote(found)
        for key_id, second in batch:
            if key_id is not None:
                at = START + timedelta(seconds=second)
                newest[key_id] = max(at, newest.get(key_id, at))
        assert set(written) == set(newest)
        assert all(newest[key_id] - EVERY < written[key_id] <= newest[key_id] for key_id in newest)


def test_of_a_batch_the_newest_counts_once() -> None:
    assert KeyUse().of(ended(("a", 1), ("a", 3), ("a", 2), (None, 9))) == {"a": START + timedelta(seconds=3)}


def test_what_was_not_written_is_due_again() -> None:
    one = KeyUse()
    assert one.of(ended(("a", 1))) == one.of(ended(("a", 1))) != {}


def test_it_forgets_all_rather_than_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_use, "KEYS_MAX", 2)
    one = KeyUse()
    for name in ("a", "b", "c"):
        one.wrote({name: START})
    assert set(one.of(ended(("a", 1), ("b", 1), ("c", 1)))) == {"a", "b"}
