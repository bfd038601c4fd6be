"""Shapes of `usage`, good and bad, each with what is read from it (guarantees M3)."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.wire.usage import COST_USD_MAX, TOKENS_MAX, Usage, read_usage


def counts(prompt: str, completion: str = "2") -> bytes:
    return f'{{"prompt_tokens":{prompt},"completion_tokens":{completion}}}'.encode()


@pytest.mark.parametrize(
    "raw",
    [
        *(b"", b"null", b"[]", b"12", b'"x"', b"{}", b"{", b'{"prompt_tokens":1', b"\xff", b'{"a":"\\ud800"'),
        *(counts(bad) for bad in ("-1", "1.5", "true", "false", '"12"', "[]", "{}", "1e13", "1e99", "9" * 40, "NaN")),
        *(counts("1", bad) for bad in ("-1", "1.5", "true", '"12"', "1E-1", f"{TOKENS_MAX}1")),
        b'{"prompt_tokens":null,"completion_tokens":null,"total_tokens":5}',
        b'{"cost":-1}',
        b'{"cost":"0.1"}',
        b'{"prompt_tokens_details":{"cached_tokens":0}}',
        b"[" * 100_000,
        b'{"prompt_tokens_details":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_what_is_not_usable_is_not_reported(raw: bytes) -> None:
    assert read_usage(raw) is None


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("12", 12), (" 12 ", 12), ("12.0", 12), ("1.2e1", 12), ("0", 0), ("-0", 0), ("null", 0), ("1e12", TOKENS_MAX)],
)
def test_whole_numbers_are_counts_however_they_are_written(text: str, tokens: int) -> None:
    assert read_usage(counts(text)) == Usage(tokens, 2)


def test_a_missing_count_is_zero_when_the_other_is_there() -> None:
    assert read_usage(b'{"completion_tokens":3}') == Usage(0, 3)
    assert read_usage(b'{"prompt_tokens":3,"completion_tokens":null}') == Usage(3, 0)


def test_an_explicit_zero_is_a_report() -> None:
    assert read_usage(counts("0", "0")) == Usage(0, 0)


def test_a_cost_alone_is_a_report_without_counts() -> None:
    assert read_usage(b'{"cost":0.5}') == Usage(0, 0, cost_usd=Decimal("0.5"), is_counted=False)
    assert read_usage(b'{"cost_details":{"upstream_inference_cost":0}}') == Usage(
        0, 0, upstream_cost_usd=Decimal(0), is_counted=False
    )


def test_without_a_prompt_count_its_parts_are_the_least_it_was() -> None:
    raw = b'{"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":7,"cache_write_tokens":9}}'
    assert read_usage(raw) == Usage(16, 1, 7, 9)


def with_details(details: str) -> Usage | None:
    return read_usage(f'{{"prompt_tokens":10,"completion_tokens":4,{details}}}'.encode())


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ('"prompt_tokens_details":{"cached_tokens":3}', Usage(10, 4, cached_tokens=3)),
        ('"prompt_tokens_details":{"cached_tokens":11}', Usage(10, 4, cached_tokens=10)),
        ('"prompt_tokens_details":{"cached_tokens":-3}', Usage(10, 4)),
        ('"prompt_tokens_details":{"cached_tokens":true,"cache_write_tokens":2}', Usage(10, 4, cache_write_tokens=2)),
        ('"prompt_tokens_details":{"cache_write_tokens":null,"cache_creation_input_tokens":2}', Usage(10, 4, 0, 2)),
        ('"prompt_tokens_details":{"cache_write_tokens":0,"cache_creation_input_tokens":2}', Usage(10, 4)),
        ('"prompt_tokens_details":{"cached_tokens":7,"cache_write_tokens":9}', Usage(10, 4, 7, 3)),
        ('"prompt_tokens_details":"none"', Usage(10, 4)),
        ('"prompt_tokens_details":null', Usage(10, 4)),
        ('"completion_tokens_details": {"reasoning_tokens": 3}', Usage(10, 4, reasoning_tokens=3)),
        ('"completion_tokens_details":{"reasoning_tokens":5}', Usage(10, 4, reasoning_tokens=4)),
        ('"completion_tokens_details":{"reasoning_tokens":"5"}', Usage(10, 4)),
        ('"is_byok":true', Usage(10, 4, is_byok=True)),
        ('"is_byok": false', Usage(10, 4, is_byok=False)),
        ('"is_byok":"true"', Usage(10, 4)),
        ('"is_byok":null', Usage(10, 4)),
    ],
)
def test_details(details: str, expected: Usage) -> None:
    assert with_details(details) == expected


@pytest.mark.parametrize(
    ("text", "cost"),
    [
        ("0.1", Decimal("0.1")),
        ("1e-7", Decimal("1E-7")),
        ("0.00000000000000000000000000012345", Decimal("1.2345E-28")),
        ("0.1000000000000000000000000000000000000001", Decimal("0.1000000000000000000000000000000000000001")),
        ("1000000000", COST_USD_MAX),
        ("-0.0", Decimal(0)),
        ("1000000000.01", None),
        ("1e400", None),
        ("-0.1", None),
        ('"0.1"', None),
        ("true", None),
        ("null", None),
        ("[0.1]", None),
        ("1" * 5_000, None),
        ("0." + "1" * 61, None),
    ],
)
def test_a_cost_is_exactly_what_is_written_or_nothing(text: str, cost: Decimal | None) -> None:
    usage = with_details(f'"cost":{text},"cost_details":{{"upstream_inference_cost":{text}}}')
    assert usage == Usage(10, 4, cost_usd=cost, upstream_cost_usd=cost)
    assert str(usage.cost_usd).startswith("-") is False


@given(st.decimals(0, 1000, places=12), st.integers(0, TOKENS_MAX), st.integers(0, TOKENS_MAX))
def test_what_is_written_comes_back(cost: Decimal, prompt: int, completion: int) -> None:
    raw = f'{{"prompt_tokens": {prompt}, "completion_tokens": {completion}, "cost": {cost:f}}}'
    assert read_usage(raw.encode()) == Usage(prompt, completion, cost_usd=cost)


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
trees = st.recursive(leaves, lambda t: st.lists(t) | st.dictionaries(st.text(), t), max_leaves=5)
NAMES = ("prompt_tokens", "completion_tokens", "prompt_tokens_details", "completion_tokens_details", "cost", "is_byok")
DETAILS = ("cached_tokens", "cache_write_tokens", "cache_creation_input_tokens", "reasoning_tokens")


@given(
    st.dictionaries(
        st.sampled_from((*NAMES, "cost_details")), trees | st.dictionaries(st.sampled_from(DETAILS), trees), max_size=7
    )
)
def test_whatever_the_fields_hold_parts_never_exceed_the_whole(value: dict[str, object]) -> None:
    usage = read_usage(json.dumps(value).encode())
    if usage is not None:
        assert usage.cached_tokens + usage.cache_write_tokens <= usage.prompt_tokens <= 2 * TOKENS_MAX
        assert 0 <= usage.reasoning_tokens <= usage.completion_tokens <= TOKENS_MAX
        assert usage.cost_usd is None or 0 <= usage.cost_usd <= COST_USD_MAX


@given(st.binary())
def test_no_bytes_raise(raw: bytes) -> None:
    read_usage(raw)
    read_usage(b'{"cost":' + raw + b"}")
