import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql, sqlite

from tollway.storage.sql.types import ExactDecimal, TextList, UtcInstant, decimal_text, list_text, microseconds

LITE, POSTGRES = sqlite.dialect(), postgresql.dialect()
instants = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-7)), timezone(timedelta(hours=14))]))


@given(instants)
def test_an_instant_survives_to_the_microsecond(value: datetime) -> None:
    stored = UtcInstant().process_bind_param(value, LITE)
    assert isinstance(stored, int)
    back = UtcInstant().process_result_value(stored, LITE)
    assert back == value
    assert back.tzinfo is UTC


@given(instants, instants)
def test_stored_instants_compare_like_instants(one: datetime, other: datetime) -> None:
    bind = UtcInstant().process_bind_param
    assert (bind(one, LITE) < bind(other, LITE)) == (one < other)


def test_postgresql_gets_and_gives_instants() -> None:
    there = datetime(2026, 3, 1, 5, tzinfo=timezone(timedelta(hours=-7)))
    assert UtcInstant().process_bind_param(there, POSTGRES) is there
    back = UtcInstant().process_result_value(there, POSTGRES)
    assert (back, back.tzinfo) == (datetime(2026, 3, 1, 12, tzinfo=UTC), UTC)


@pytest.mark.parametrize("dialect", [LITE, POSTGRES])
def test_an_instant_without_a_zone_is_refused(dialect: object) -> None:
    with pytest.raises(ValueError, match="time zone"):
        UtcInstant().process_bind_param(datetime(2026, 3, 1), dialect)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=12))
def test_a_decimal_survives_digit_for_digit(value: Decimal) -> None:
    stored = ExactDecimal().process_bind_param(value, LITE)
    back = ExactDecimal().process_result_value(stored, LITE)
    assert back == value
    assert back.as_tuple().exponent == value.as_tuple().exponent


def test_a_tiny_decimal_is_written_out() -> None:
    assert ExactDecimal().process_bind_param(Decimal("1.25E-7"), LITE) == "0.000000125"


@given(st.lists(st.text(max_size=10), max_size=4))
def test_a_list_of_texts_survives(values: list[str]) -> None:
    stored = TextList().process_bind_param(tuple(values), LITE)
    assert TextList().process_result_value(stored, LITE) == tuple(values)


@given(st.decimals(allow_nan=False, allow_infinity=False), st.lists(st.text(max_size=10), max_size=4), instants)
def test_what_goes_around_the_types_is_what_they_store(number: Decimal, texts: list[str], instant: datetime) -> None:
    assert decimal_text(number) == ExactDecimal().process_bind_param(number, LITE) == format(number, "f")
    assert list_text(texts) == TextList().process_bind_param(tuple(texts), LITE)
    assert list_text(texts) == json.dumps(texts, separators=(",", ":"), ensure_ascii=False)
    assert microseconds(instant) == UtcInstant().process_bind_param(instant, LITE)


def test_equal_decimals_keep_their_own_digits() -> None:
    assert [decimal_text(Decimal(digits)) for digits in ("1.50", "1.5", "1.500")] == ["1.50", "1.5", "1.500"]


@pytest.mark.parametrize("type_", [UtcInstant(), ExactDecimal(), TextList()])
def test_nothing_stays_nothing(type_: UtcInstant) -> None:
    assert type_.process_bind_param(None, LITE) is None
    assert type_.process_result_value(None, LITE) is None
