from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tollway.catalog.preset import PresetError, Promotion
from tollway.identity.caller import Caller
from tollway.identity.promotions import is_promoted, read_promotions

START = datetime(2026, 2, 26, 8, tzinfo=UTC)
END = START + timedelta(days=2)
BOT = Promotion("bot_id", "reviewer", "a/b", "2026-02-28T08:00:00Z")
SOURCE = Promotion("token_source", "cloud", "a/b", "2026-02-28T08:00:00Z", "2026-02-26T08:00:00Z")
REVIEWER = Caller("u", "u@example.com", bot_id="reviewer")
CLOUD = Caller("u", "u@example.com", token_source="cloud")


def promoted(caller: Caller, model: str = "a/b", now: datetime = START) -> bool:
    return is_promoted(read_promotions([BOT, SOURCE]), caller, model, now)


def test_the_claim_decides_not_its_value_elsewhere() -> None:
    assert promoted(REVIEWER)
    assert promoted(CLOUD)
    assert not promoted(Caller("u", "u@example.com"))
    assert not promoted(Caller("reviewer", "cloud", bot_id="cloud", token_source="reviewer"))
    assert not promoted(Caller("u", "u@example.com", bot_id="Reviewer"))


@pytest.mark.parametrize("model", ["a/b:free", "a/c", "A/b", "a/*"])
def test_another_model_is_not_meant(model: str) -> None:
    assert not promoted(REVIEWER, model)


@example(timedelta(0))
@example(END - START)
@given(st.timedeltas(timedelta(days=-9), timedelta(days=9)))
def test_the_window_has_its_start_and_not_its_end(after: timedelta) -> None:
    now = START + after
    assert promoted(CLOUD, now=now) == (START <= now < END)
    assert promoted(REVIEWER, now=now) == (now < END)  # without a start it has always been


def test_none_is_none() -> None:
    assert read_promotions([]) == {}
    assert not is_promoted({}, REVIEWER, "a/b", START)


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (Promotion("email", "x", "a/b", "2026-02-28"), "claim must be one of bot_id, token_source"),
        (Promotion("bot_id", "x", "a/b", "soon"), "end: 'soon' is no instant"),
        (Promotion("bot_id", "x", "a/b", ""), "end: '' is no instant"),
        (Promotion("bot_id", "x", "a/b", "2026-02-28", "then"), "start: 'then' is no instant"),
    ],
)
def test_what_cannot_be_read_is_said_at_the_start(entry: Promotion, why: str) -> None:
    with pytest.raises(PresetError, match=why):
        read_promotions([entry])


def test_an_instant_without_a_zone_is_utc() -> None:
    (one,) = read_promotions([Promotion("bot_id", "x", "a/b", "2026-02-28", "2026-02-26T09:00:00+01:00")])["a/b"]
    assert (one.start, one.end) == (START, datetime(2026, 2, 28, tzinfo=UTC))
