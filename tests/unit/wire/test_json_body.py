import json
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tollway.wire.json_body import DEPTH_MAX, DIGITS_MAX, VALUES_MAX, BodyError, decode_object


def is_refused(body: bytes) -> bool:
    try:
        decode_object(body)
    except BodyError:
        return True
    return False


# What Python's own parser makes of it, as strictly as it can be told to


def strict(body: bytes) -> dict[str, Any]:
    """Raises ValueError for what is not one JSON object in UTF-8 without doubled top-level names."""

    def refuse(word: str) -> None:
        raise ValueError(word)

    def number(text: str) -> float:
        if abs(value := float(text)) == float("inf"):
            raise ValueError(text)
        return value

    pairs: list[tuple[str, Any]] = []

    def collect(members: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal pairs
        pairs = members  # the outermost object comes last
        return dict(members)

    text = body.decode("utf-8")
    value = json.loads(text, parse_constant=refuse, parse_float=number, object_pairs_hook=collect)
    if not isinstance(value, dict) or len(pairs) != len(value):
        raise ValueError("no object")
    json.dumps(value, ensure_ascii=False).encode()  # lone surrogates
    return value


PLAIN = st.none() | st.booleans() | st.integers(-(10**31), 10**31) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    PLAIN | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text(max_size=4), VALUES, max_size=5)
SPACES = st.text(alphabet=" \t\n\r", max_size=3)


@given(
    OBJECTS,
    st.booleans(),
    st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t:\r\n ")]),
    SPACES,
    SPACES,
    st.none() | st.integers(0, 2),
)
def test_any_spelling_of_an_object_decodes_to_it(
    value: dict[str, Any], ascii_only: bool, separators: tuple[str, str], before: str, after: str, indent: int | None
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, separators=separators, indent=indent)
    decoded = decode_object((before + text + after).encode())
    assert decoded == value
    assert json.dumps(decoded) == json.dumps(value)  # 1 and 1.0 and true are not the same


FRAGMENTS = st.lists(
    st.sampled_from(
        [
            *("{", "}", "[", "]", ":", ",", '"', "\\", " ", "\n", "\t", "\x0b", "\0", "\x7f", "\ufeff", "\u2028"),
            *('"a"', '"b"', '"a":1', '"a":', '"\\u0061":1', '"ä"', "\\u0000", "\\ud800", "\\ud83d\\ude00", '"\\"'),
            *("0", "1", "-", "-0", "1.5", "1e400", "1e-400", "01", "1.", ".5", "+1", "1E+2", "9" * 33, "1" * 32),
            *("true", "false", "null", "NaN", "Infinity", "-Infinity", "nul", "//", "/**/", "'a'"),
        ]
    ),
    max_size=12,
).map("".join)  # fmt: skip


@given(
    FRAGMENTS.map(lambda text: text.encode())
    | FRAGMENTS.map(lambda text: b"{" + text.encode() + b"}")
    | st.binary(max_size=30)
)
@example(b'{"a":12,"b":1,"c":1,"d":1,"a":12}')
@example(b'{"a":1,"a":1}')
@example(b'{"a": 1, "b": 22, "a": 1}')
@example(b'{"":1,"":2}')
@example(b'{"a":"\xed\xa0\x80"}')
@example(b"\xef\xbb\xbf{}")
@example(b'{"a":1}\x00')
def test_what_two_parsers_disagree_about_is_refused(body: bytes) -> None:
    try:
        expected: dict[str, Any] | None = strict(body)
    except (ValueError, RecursionError):
        expected = None
    try:
        decoded = decode_object(body)
    except BodyError:
        return
    assert expected is not None, body
    assert repr(decoded) == repr(expected)


@given(
    st.lists(st.tuples(st.text(max_size=3), VALUES), min_size=1, max_size=6),
    st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : ")]),
)
def test_doubled_names_are_seen_in_any_spacing(members: list[tuple[str, Any]], separators: tuple[str, str]) -> None:
    texts = [json.dumps(name) + separators[1] + json.dumps(value) for name, value in members]
    body = ("{" + separators[0].join(texts) + "}").encode()
    assert is_refused(body) is (len(dict(members)) != len(members))


NAMES = st.sampled_from(["a", "b", "model"]) | st.text(alphabet='a": ,1\\\n', max_size=6)
SEPARATORS = st.sampled_from([",", ", ", " ,", ",\n"])
COLONS = st.sampled_from([":", ": ", " :", ":  "])


@given(st.lists(st.tuples(NAMES, COLONS, VALUES, SEPARATORS), min_size=1, max_size=6))
@example([("a", ":", 1, ", "), ("b", ": ", 1, ", "), ("a", ": ", 1, "")])  # as long as without its first member
def test_doubled_names_are_seen_where_spacing_changes(members: list[tuple[str, str, Any, str]]) -> None:
    written = [json.dumps(name) + colon + json.dumps(value) + separator for name, colon, value, separator in members]
    body = ("{" + "".join(written).removesuffix(members[-1][3]) + "}").encode()
    assert is_refused(body) is (len({name for name, *_ in members}) != len(members))


@pytest.mark.parametrize("text", ["", "\\n", '\\"', "x" * 10_000], ids=["plain", "escaped", "quoted", "long"])
def test_below_the_top_a_name_may_occur_twice(text: str) -> None:
    for colon in (":", ": "):
        body = f'{{"a"{colon}{{"b":1,"b":2}},"c"{colon}"{text}"}}'
        assert decode_object(body.encode())["a"] == {"b": 2}
        assert is_refused(body.replace('"c"', '"a"').encode())


# Limits, each at, below and above


@given(OBJECTS)
def test_every_value_takes_two_bytes(value: dict[str, Any]) -> None:
    """So a short body cannot have too many, and need not be searched."""
    assert 2 * values_in(value) < len(json.dumps(value, separators=(",", ":"), ensure_ascii=False))


def values_in(container: Any) -> int:
    inner = container.values() if isinstance(container, dict) else container if isinstance(container, list) else ()
    return sum(1 + values_in(value) for value in inner)


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_depth(opening: str, closing: str) -> None:
    def nested(depth: int) -> bytes:
        inner = opening * (depth - 1) + "1" + closing * (depth - 1)
        return ('{"a":' + inner + "}").encode()

    assert not is_refused(nested(DEPTH_MAX - 1))
    assert not is_refused(nested(DEPTH_MAX))
    assert is_refused(nested(DEPTH_MAX + 1))
    for depth in (500, 990, 1_000, 5_000, 100_000):
        assert is_refused(nested(depth))
        assert is_refused(nested(depth)[: depth // 2])


def test_an_empty_container_counts_as_a_level() -> None:
    assert not is_refused(b'{"a":' + b"[" * (DEPTH_MAX - 1) + b"]" * (DEPTH_MAX - 1) + b"}")
    assert is_refused(b'{"a":' + b"[" * DEPTH_MAX + b"]" * DEPTH_MAX + b"}")


def listed(count: int, element: bytes) -> bytes:
    return b'{"a":[' + b",".join([element] * count) + b"]}"


@pytest.mark.parametrize("element", [b"1", b"[]", b"{}", b'""', b'"[,]{\\""', b"[ ]", b'"\\\\"', b"null"], ids=repr)
def test_values_in_a_list(element: bytes) -> None:
    assert not is_refused(listed(VALUES_MAX - 2, element))
    assert not is_refused(listed(VALUES_MAX - 1, element))  # the list is a value, too
    assert is_refused(listed(VALUES_MAX, element))


def test_values_that_hold_values() -> None:
    assert not is_refused(listed((VALUES_MAX - 2) // 2, b"[1]"))
    assert is_refused(listed(VALUES_MAX // 2, b"[1]"))
    assert not is_refused(listed((VALUES_MAX - 2) // 2, b'{"b":1}'))
    assert is_refused(listed(VALUES_MAX // 2, b'{"b":1}'))


def test_values_at_the_top() -> None:
    def members(count: int) -> bytes:
        return b"{" + b",".join(b'"%d":1' % number for number in range(count)) + b"}"

    assert not is_refused(members(VALUES_MAX))
    assert is_refused(members(VALUES_MAX + 1))


def test_commas_and_brackets_in_a_text_are_no_values() -> None:
    text = ',[{"\\' * VALUES_MAX
    assert decode_object(json.dumps({"a": text}).encode()) == {"a": text}


@pytest.mark.parametrize("place", [b'{"a":%b}', b'{"a": %b }', b'{"a":[%b]}', b'{"a":{"b":[1,%b]}}'], ids=repr)
@pytest.mark.parametrize("sign", [b"", b"-"])
def test_digits(place: bytes, sign: bytes) -> None:
    whole, fraction, power = (
        b"9" * DIGITS_MAX,
        b"0." + b"1" * (DIGITS_MAX - 1),
        b"1." + b"0" * (DIGITS_MAX - 3) + b"e12",
    )
    for number in (whole, whole[1:], fraction, power, b"0.1", b"1e308"):
        assert not is_refused(place % (sign + number)), number
    for number in (whole + b"9", fraction + b"1", power + b"3", b"1" * 5_000, b"1" * 20 + b"." + b"1" * 20):
        assert is_refused(place % (sign + number)), number


def test_digits_in_a_text_are_no_number() -> None:
    assert decode_object(b'{"a":["%b",1,0.5]}' % (b"1" * 10_000))["a"][0] == "1" * 10_000


@pytest.mark.parametrize("number", [b"1e309", b"-1e309", b"1e400", b"NaN", b"Infinity", b"-Infinity"])
def test_numbers_are_finite(number: bytes) -> None:
    assert is_refused(b'{"a":%b}' % number)
    assert is_refused(b'{"a":[[%b]]}' % number)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"null",
        b"1",
        b'"x"',
        b"true",
        b"[]",
        b"{",
        b"{}{}",
        b"{} x",
        b"{bad",
        b'{"a":1,}',
        b'{"a" 1}',
        b"{a:1}",
    ],
    ids=repr,
)
def test_what_is_no_object(body: bytes) -> None:
    assert is_refused(body)


def test_the_message_never_quotes_the_body() -> None:
    for body in (
        b'{"secret-canary',
        b'{"secret-canary":1,"secret-canary":1}',
        b'["secret-canary"]',
        b'{"secret-canary":1e999}',
    ):
        with pytest.raises(BodyError) as caught:
            decode_object(body)
        assert "canary" not in str(caught.value)


# Work grows with the size, not with its square: counted in lines that run


HOSTILE: dict[str, Callable[[int], bytes]] = {
    "members": lambda size: b"{" + b",".join(b'"%d": 1' % number for number in range(size)) + b"}",
    "lists": lambda size: listed(size, b"[]"),
    "doubled": lambda size: b"{" + b",".join([b'"a": 1'] * size) + b"}",
    "nested": lambda size: b'{"a":' + b"[" * size,
    "floats": lambda size: listed(size, b"0.5"),
    "texts": lambda size: listed(size, b'"\\""'),
    "spaces": lambda size: b"{" + b" " * size + b'"a"' + b" " * size + b":1}",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_work_is_linear(kind: str) -> None:
    small, large = (_lines_run(HOSTILE[kind](size)) for size in (2_000, 8_000))
    assert large <= 4.5 * small + 100


def _lines_run(body: bytes) -> int:
    lines = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal lines
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        is_refused(body)
    finally:
        sys.settrace(before)
    return lines


def test_counting_stops_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many values there are, no more than the limit are looked at, and none is built."""
    monkeypatch.setattr("tollway.wire.json_body.VALUES_MAX", 1_000)
    monkeypatch.setattr("tollway.wire.json_body.SURELY_FEW_BYTES", 2_000)
    assert _lines_run(listed(100_000, b"[]")) < 10_000
