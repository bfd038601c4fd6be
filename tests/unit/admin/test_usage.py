import csv
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.admin.usage import (
    DAY_MS,
    SPAN_MAX,
    UsedSum,
    check_filter,
    check_span,
    csv_text,
    day_at,
    day_begin,
    first_id,
    id_at,
    milliseconds,
    milliseconds_of,
    neutral,
)
from tollway.errors import Problem

NOW = datetime(2026, 3, 1, tzinfo=UTC)
INSTANTS = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC))


@given(INSTANTS, INSTANTS)
def test_ids_are_ordered_as_time_is(one: datetime, two: datetime) -> None:
    assert (first_id(one) < first_id(two)) <= (one < two)
    assert len(first_id(one)) == 32


@given(INSTANTS, st.integers(0, 2**80 - 1))
def test_an_id_of_that_millisecond_is_not_below(at: datetime, rest: int) -> None:
    ms = (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert first_id(at) <= f"{ms:012x}{rest:020x}" < first_id(at + timedelta(milliseconds=1))


@given(INSTANTS, st.integers(0, 2**80 - 1))
def test_an_id_tells_its_millisecond_and_day(at: datetime, rest: int) -> None:
    ms = milliseconds_of(f"{milliseconds(at):012x}{rest:020x}")
    assert id_at(ms) == first_id(at)
    assert day_at(ms) == at.date()
    assert 0 <= ms - day_begin(at.date()) < DAY_MS


@given(st.text(), st.sampled_from("=+-@\t\r"))
def test_no_cell_is_a_formula(rest: str, first: str) -> None:
    assert neutral(first + rest) == "'" + first + rest
    assert neutral(-5) == -5


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n"), min_size=1))
def test_csv_is_read_back(model: str) -> None:
    text = csv_text((UsedSum("2026-03-01", model, None, None, 1, 0, 2, 3, 0, 0, -4),), UsedSum)
    names, row = csv.reader(StringIO(text, newline=""))
    assert dict(zip(names, row, strict=True))["model"] == neutral(model)
    assert row[-1] == "-4"


@pytest.mark.parametrize(
    ("since", "until"),
    [(NOW, NOW), (NOW, NOW - timedelta(days=1)), (NOW - SPAN_MAX - timedelta(seconds=1), NOW)],
)
def test_a_span_has_a_bound(since: datetime, until: datetime) -> None:
    assert isinstance(check_span(since, until, NOW), Problem)


def test_the_last_days_where_nothing_is_said() -> None:
    span = check_span(None, None, NOW)
    assert not isinstance(span, Problem)
    assert span[0] < NOW < span[1]


@pytest.mark.parametrize("value", ["", "a\0b", "x" * 257])
def test_what_no_column_has_is_refused(value: str) -> None:
    assert isinstance(check_filter("model", value), Problem)
    assert check_filter("model", None) is None
