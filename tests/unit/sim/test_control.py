"""Controls: three places, later wins, and nothing unknown passes."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.sim.control import (
    PLAIN,
    Control,
    Fault,
    LineEnd,
    UsageMode,
    parse_control,
    read_body_key,
    read_header,
    split_model_id,
)
from tollway.sim.refusal import Refusal


def parsed(**texts: str) -> Control:
    control = parse_control([{name: text.encode() for name, text in texts.items()}])
    assert isinstance(control, Control), control
    return control


def test_no_controls_is_the_plain_control() -> None:
    assert split_model_id("sim/story") == ("sim/story", {})
    assert parse_control([{}, {}]) is PLAIN


def test_later_places_win() -> None:
    name, suffix = split_model_id("sim/free:free@chunks=1,delay_ms=2.5,seed=3")
    header = read_header('{"chunks": 4, "seed": 5}')
    body = read_body_key({"seed": msgspec.Raw(b"6")})
    assert not isinstance(suffix, Refusal)
    assert not isinstance(header, Refusal)
    assert name == "sim/free:free"
    assert parse_control([suffix, header, body]) == Control(chunks=4, delay_ms=2.5, seed=6)


@pytest.mark.parametrize("cost", ["0", "-1", "1e400", "0.00001200", '"0.5"', '"much"', "null", "9" * 400])
def test_a_cost_is_kept_digit_for_digit(cost: str) -> None:
    assert parsed(cost=cost).cost == cost


def test_words_need_no_quotes_in_a_model_id() -> None:
    _, suffix = split_model_id("m@fault=cut,usage=null,line_end=cr,key=7,text=hi there,bom=1,split=bytes,cost=free")
    assert not isinstance(suffix, Refusal)
    assert parse_control([suffix]) == Control(
        fault=Fault.CUT,
        usage=UsageMode.NULL,
        line_end=LineEnd.CR,
        key="7",
        text="hi there",
        bom=True,
        split=1,
        cost='"free"',
    )


def test_every_control_can_be_given() -> None:
    given_all = parsed(
        chunks="1",
        tokens_per_chunk="2",
        delay_ms="3",
        first_delay_ms="4",
        first_event_delay_ms="5",
        seed="6",
        text='"t"',
        cost="7",
        usage='"twice"',
        reasoning_tokens="8",
        cached_tokens="9",
        status="503",
        error_body='"e"',
        headers='{"Retry-After":"3"}',
        fail_first="10",
        key='"k"',
        line_end='"crlf"',
        bom="true",
        comments="true",
        split="11",
        content_encoding='"gzip"',
        fault='"stall"',
        at="12",
        drip_ms="13",
        bytes="64",
        location='"/x"',
        replay='"a-1"',
    )
    assert given_all.headers == (("Retry-After", "3"),)
    assert given_all.without_failure().fault is None
    assert given_all.without_failure().status is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("nonsense", "1"),
        ("chunks", "-1"),
        ("chunks", "1.5"),
        ("chunks", '"many"'),
        ("delay_ms", "-1"),
        ("fault", '"explode"'),
        ("usage", "1"),
        ("bom", '"yes"'),
        ("cost", "[1]"),
        ("cost", "true"),
        ("split", "0"),
        ("headers", '{"a b":"c"}'),
        ("headers", '{"a":"c\\r\\nd"}'),
        ("headers", '{"é":"c"}'),
        ("content_encoding", '"br"'),
        ("replay", '"../secret"'),
        ("status", "99"),
        ("text", "{}"),
        ("arguments", "[1]"),
        ("arguments", '"text"'),
        ("key", "null"),
    ],
)
def test_unknown_names_and_bad_values_are_refused(name: str, text: str) -> None:
    refusal = parse_control([{name: text.encode()}])
    assert isinstance(refusal, Refusal)
    assert refusal.status == 400
    assert name in refusal.message


@pytest.mark.parametrize("header", ["", "[]", "{", '{"chunks":}', "[" * 5000, "{\xff}"])
def test_a_header_that_is_no_object_is_refused(header: str) -> None:
    assert isinstance(read_header(header), Refusal)


def test_a_suffix_without_value_is_refused() -> None:
    assert isinstance(split_model_id("m@chunks")[1], Refusal)


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_suffix_and_header_give_a_control_or_a_refusal(suffix: str, header: str) -> None:
    _, layer = split_model_id(f"m@{suffix}")
    if not isinstance(layer, Refusal):
        assert isinstance(parse_control([layer]), Control | Refusal)
    assert isinstance(read_header(header), dict | Refusal)


@given(chunks=st.integers(0, 10_000_000), delay_ms=st.floats(0, 86_400_000), text=st.text())
def test_what_is_written_is_read_back(chunks: int, delay_ms: float, text: str) -> None:
    values = {"chunks": chunks, "delay_ms": delay_ms, "text": text}
    assert parse_control([{k: msgspec.json.encode(v) for k, v in values.items()}]) == Control(**values)  # type: ignore[arg-type]
