"""The record's codec: what is written is read back, and a torn last line is no loss."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.sim.record import (
    AnswerRecord,
    Record,
    RequestRecord,
    decode_records,
    encode_record,
    mask_key,
    whole_bytes,
)

TEXT = st.text(max_size=20)
COUNT = st.integers(0, 2**53)
TIME = st.floats(0, 1e12)
REQUESTS = st.builds(
    RequestRecord,
    id=TEXT,
    time=TIME,
    connection=COUNT,
    path=TEXT,
    query=TEXT,
    x_request_id=st.none() | TEXT,
    model=TEXT,
    stream=st.booleans(),
    prompt_tokens=COUNT,
    headers=st.lists(st.tuples(TEXT, TEXT), max_size=3),
    body_sha256=TEXT,
    body_bytes=COUNT,
)
ANSWERS = st.builds(
    AnswerRecord,
    id=TEXT,
    time=TIME,
    x_request_id=st.none() | TEXT,
    model=TEXT,
    streamed=st.booleans(),
    status=COUNT,
    ending=TEXT,
    finish_reason=st.none() | TEXT,
    prompt_tokens=COUNT,
    cached_tokens=COUNT,
    completion_tokens=COUNT,
    reasoning_tokens=COUNT,
    cost=TEXT,
    reported_usage=st.none() | TEXT,
    latency_ms=TIME,
    generation_ms=TIME,
)
RECORDS = st.lists(REQUESTS | ANSWERS, max_size=5)


@given(RECORDS)
def test_what_is_written_is_read_back(records: list[Record]) -> None:
    assert decode_records(b"".join(map(encode_record, records))) == records


@given(RECORDS, REQUESTS | ANSWERS, st.data())
def test_a_torn_last_line_is_left_out(records: list[Record], last: Record, data: st.DataObject) -> None:
    whole, line = b"".join(map(encode_record, records)), encode_record(last)
    torn = whole + line[: data.draw(st.integers(0, len(line) - 1))]
    assert decode_records(torn) == records
    assert whole_bytes(torn) == len(whole)


def test_damage_before_the_end_is_an_error() -> None:
    with pytest.raises(msgspec.MsgspecError):
        decode_records(b'{"kind":"answer"\n{}\n')


@pytest.mark.parametrize(("value", "masked"), [("Bearer sk-or-v1-secret", "…cret"), ("Bearer x", "…"), ("", "…")])
def test_a_key_is_masked(value: str, masked: str) -> None:
    assert mask_key(("Authorization", value)) == ("Authorization", masked)
    assert mask_key(("X", value)) == ("X", value)
