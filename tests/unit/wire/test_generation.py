"""What an upstream's record of an answer says, good and bad (response-path 6.5)."""

import json
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.money import Microdollars
from tollway.wire.generation import OWN_KEY_FACTOR, Generation, read_generation
from tollway.wire.usage import COST_USD_MAX, TOKENS_MAX, Usage


def read(fields: str) -> Generation | None:
    return read_generation(f'{{"data":{{{fields}}}}}'.encode())


def test_a_whole_record() -> None:
    fields = (
        '"id":"gen-9","model":"vendor/name","is_byok":false,"total_cost":0.12915825,"cache_discount":-0.02507625,'
        '"upstream_inference_cost":0.7,"native_tokens_prompt":33439,"native_tokens_completion":251,'
        '"native_tokens_cached":10,"native_tokens_cache_creation":20,"native_tokens_reasoning":200,'
        '"tokens_prompt":1,"tokens_completion":1,"provider_name":"Vendor","streamed":true,"cancelled":false'
    )
    fields += ',"upstream_id":"up-1","latency":1500,"moderation_latency":null,"generation_time":2.5'
    assert read(fields) == Generation(
        Usage(33_439, 251, 10, 20, 200, cost_usd=Decimal("0.12915825")),
        False,
        Microdollars(-25_076),
        "up-1",
        "Vendor",
        1500.0,
        None,
        2.5,
        cancelled=False,
    )


def test_what_cannot_be_believed_of_the_rest_is_not_told() -> None:
    fields = (
        '"total_cost":1,"cache_discount":1e60,"upstream_id":7,"provider_name":"","latency":"soon",'
        '"generation_time":1e999,"cancelled":"no"'
    )
    assert read(fields) == Generation(Usage(0, 0, cost_usd=Decimal(1), is_counted=False))


@pytest.mark.parametrize(
    ("fields", "cost", "is_reckoned"),
    [
        ('"total_cost":0.1', "0.1", False),
        ('"total_cost":0.1,"is_byok":null', "0.1", False),
        ('"total_cost":0.1,"is_byok":false,"upstream_inference_cost":2', "0.1", False),
        ('"total_cost":0,"is_byok":false,"upstream_inference_cost":2', "0", False),
        ('"total_cost":0.1,"is_byok":true,"upstream_inference_cost":2', "2", False),
        ('"total_cost":0.1,"is_byok":true,"upstream_inference_cost":0', "0", False),
        ('"is_byok":true,"upstream_inference_cost":2', "2", False),
        ('"total_cost":0.1,"is_byok":true,"upstream_inference_cost":null', "2", True),
        ('"total_cost":0.1,"is_byok": true ', "2", True),
        ('"total_cost":0.1,"is_byok":true,"upstream_inference_cost":-2', "2", True),
        ('"total_cost":0,"is_byok":true', "0", True),
    ],
)
def test_which_cost_counts(fields: str, cost: str, is_reckoned: bool) -> None:
    found = read(fields)
    assert found
    assert (found.usage.cost_usd, found.cost_is_reckoned) == (Decimal(cost), is_reckoned)
    assert not found.usage.is_counted
    assert found.usage.is_byok is None  # `cost_usd` is to be taken, whoever's key it was


@pytest.mark.parametrize("fields", ['"is_byok":false,"upstream_inference_cost":2', '"is_byok":true'])
def test_without_the_cost_that_counts_none_is_told(fields: str) -> None:
    assert read(fields) is None
    found = read(f'{fields},"native_tokens_prompt":3')
    assert found == Generation(Usage(3, 0))


@pytest.mark.parametrize("written", ["0.1000000000000000000000000000000000000001", "1e-7", "1000000000", "123456789.1"])
def test_a_cost_is_exactly_what_is_written_and_so_is_its_multiple(written: str) -> None:
    plain, own_key = read(f'"total_cost":{written}'), read(f'"total_cost":{written},"is_byok":true')
    assert plain
    assert own_key
    assert plain.usage.cost_usd == Decimal(written)
    assert own_key.usage.cost_usd
    assert Fraction(own_key.usage.cost_usd) == OWN_KEY_FACTOR * Fraction(written)


@pytest.mark.parametrize(
    "cost",
    [
        *("-0.1", '"0.1"', '"NaN"', "true", "[0.1]", "{}", "null", "1e400", "1e-999999999", "1000000000.01"),
        *("1" * 5_000, "0." + "1" * 61),
    ],
)
def test_a_bad_cost_was_not_told(cost: str) -> None:
    assert read(f'"total_cost":{cost}') is None
    assert read(f'"total_cost":{cost},"native_tokens_completion":3') == Generation(Usage(0, 3))


@pytest.mark.parametrize(
    ("fields", "usage"),
    [
        ('"native_tokens_prompt":5', Usage(5, 0)),
        ('"native_tokens_prompt":null,"native_tokens_completion":5', Usage(0, 5)),
        ('"native_tokens_prompt":0,"native_tokens_completion":0', Usage(0, 0)),
        ('"native_tokens_prompt":5.0,"native_tokens_completion":1.2e1', Usage(5, 12)),
        ('"native_tokens_prompt":5,"native_tokens_cached":6', Usage(5, 0, 5)),
        ('"native_tokens_prompt":5,"native_tokens_cached":3,"native_tokens_cache_creation":9', Usage(5, 0, 3, 2)),
        ('"native_tokens_completion":5,"native_tokens_reasoning":9', Usage(0, 5, reasoning_tokens=5)),
        ('"native_tokens_completion":5,"native_tokens_cached":9', Usage(0, 5)),
        (f'"native_tokens_prompt":{TOKENS_MAX}', Usage(TOKENS_MAX, 0)),
    ],
)
def test_counts_are_native_ones_and_parts_never_exceed_the_whole(fields: str, usage: Usage) -> None:
    assert read(fields) == Generation(usage)


@pytest.mark.parametrize("name", ["prompt", "completion", "cached", "cache_creation", "reasoning"])
@pytest.mark.parametrize("count", ["-1", "1.5", "true", '"12"', "[]", "1e13", "9" * 5_000])
def test_a_bad_count_makes_the_record_unbelievable(name: str, count: str) -> None:
    assert read(f'"total_cost":0.1,"native_tokens_{name}":{count}') is None


@pytest.mark.parametrize("is_byok", ['"true"', "1", "[]", '"false"'])
def test_whose_key_it_was_must_be_clear(is_byok: str) -> None:
    assert read(f'"total_cost":0.1,"is_byok":{is_byok}') is None


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"null", b"[]", b"12", b'"x"', b"{}", b"{", b"\xff", b"<html>not here</html>"),
        *(b'{"data":null}', b'{"data":[]}', b'{"data":"x"}', b'{"data":{}}', b'{"data":{"id":"gen-9"}}'),
        *(b'{"error":{"code":404,"message":"not found"}}', b'{"data":{"total_cost":0.1}} more', b'{"data":{"a":'),
        *(b"[" * 100_000, b'{"data":' + b"[" * 100_000 + b"]" * 100_000 + b"}", b'{"data":{"x":' + b"[" * 100_000),
        b'{"total_cost":0.1,"native_tokens_prompt":1}',
    ],
)
def test_a_body_that_says_nothing(body: bytes) -> None:
    assert read_generation(body) is None


@given(st.decimals(0, 1000, places=12), st.integers(0, TOKENS_MAX), st.integers(0, TOKENS_MAX))
def test_what_is_written_comes_back(cost: Decimal, prompt: int, completion: int) -> None:
    fields = f'"native_tokens_prompt": {prompt}, "native_tokens_completion": {completion}, "total_cost": {cost:f}'
    assert read(fields) == Generation(Usage(prompt, completion, cost_usd=cost))


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
trees = st.recursive(leaves, lambda t: st.lists(t) | st.dictionaries(st.text(), t), max_leaves=5)
NAMES = ("native_tokens_prompt", "native_tokens_completion", "native_tokens_cached", "native_tokens_cache_creation")
MORE_NAMES = ("native_tokens_reasoning", "total_cost", "upstream_inference_cost", "is_byok")


@given(st.dictionaries(st.sampled_from(NAMES + MORE_NAMES), trees, max_size=8))
def test_whatever_the_fields_hold_what_is_read_is_sound(data: dict[str, object]) -> None:
    found = read_generation(json.dumps({"data": data}).encode())
    if found is not None:
        usage = found.usage
        assert usage.cached_tokens + usage.cache_write_tokens <= usage.prompt_tokens <= TOKENS_MAX
        assert 0 <= usage.reasoning_tokens <= usage.completion_tokens <= TOKENS_MAX
        assert usage.cost_usd is None or 0 <= usage.cost_usd <= OWN_KEY_FACTOR * COST_USD_MAX
        assert usage.is_counted or usage.cost_usd is not None


@given(st.binary())
def test_no_bytes_raise(raw: bytes) -> None:
    read_generation(raw)
    read_generation(b'{"data":{"total_cost":' + raw + b"}}")
