import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import encode

from tollway.wire.upstream_error import SHOWN_CHARS_MAX, read_error, text_for_logs, with_shown_error, with_shown_errors

KEY = "sk-proj-0123456789abcdef"


@pytest.mark.parametrize(
    ("body", "message", "labels"),
    [
        ({"error": {"message": "too long", "code": "context_length_exceeded", "type": "x"}}, "too long",
         {"code": "context_length_exceeded", "type": "x"}),
        ({"error": {"message": "slow down", "code": 429, "metadata": {"raw": "secret"}}}, "slow down", {"code": 429}),
        ({"error": {"message": f"bad key {KEY}", "code": KEY, "type": None}}, "bad key sk-***", {"code": "sk-***"}),
        ({"error": "Not Found", "message": "no such model"}, "no such model", {}),
        ({"error": "Not Found"}, "Not Found", {}),
        ({"message": "alone"}, "alone", {}),
        ({"error": {"message": {"en": "x"}, "code": True, "type": 1.5}}, None, {}),
        ({"error": {"message": " \n"}}, None, {}),
        ({"error": None}, None, {}),
        ({"error": ["x"]}, None, {}),
        ({"error": {"message": "nul\0nul"}}, "nulnul", {}),
        ({"detail": "x"}, None, {}),
        ([{"error": {"message": "x"}}], None, {}),
        ("text", None, {}),
    ],
)  # fmt: skip
def test_read_error(body: object, message: str | None, labels: dict[str, object]) -> None:
    told = read_error(encode(body))
    assert (told.message, told.labels) == (message, labels)


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b"\xff\xfe", b'{"error":"\xff"}', b"[" * 100_000, b"1" * 5_000])
def test_what_is_no_json_says_nothing(body: bytes) -> None:
    told = read_error(body)
    assert (told.message, told.labels) == (None, {})


def test_what_the_operator_owes_is_not_told() -> None:
    for code in (402, "402"):
        told = read_error(encode({"error": {"message": "You owe $3 to Example Inc", "code": code, "type": "billing"}}))
        assert told.message
        assert "owe" not in told.message
        assert told.labels == {"code": 503}


def test_a_long_message_is_cut_after_it_was_redacted() -> None:
    long = "x" * (SHOWN_CHARS_MAX - 8) + " " + KEY * 50
    message = read_error(encode({"error": {"message": long}})).message
    assert message
    assert len(message) <= SHOWN_CHARS_MAX
    assert "0123456789" not in message


@given(st.binary(max_size=300))
def test_nothing_an_upstream_sends_raises(data: bytes) -> None:
    read_error(data)
    assert with_shown_error(data) is not None
    assert with_shown_errors(b'"error"' + data)


CHUNK = b'data: {"id":"a","choices":[{"index":0,"delta":{"content":"\\"error\\""},"finish_reason":null}]}\n\n'
ERROR = (
    b'data: {"id":"a","error":{"message":"%b","code":"c"},"choices":[{"index":0,"delta":{},"error":{"raw":"s"}}]}\n\n'
)


def test_only_the_events_that_report_an_error_are_encoded_anew() -> None:
    shown, told = with_shown_errors(b": hi\n\n" + CHUNK + ERROR % KEY.encode() + CHUNK)
    assert told
    assert shown.startswith(b": hi\n\n" + CHUNK)
    assert shown.endswith(CHUNK)
    event = json.loads(shown.removeprefix(b": hi\n\n" + CHUNK).removesuffix(CHUNK)[6:])
    assert event == {"id": "a", "error": {"message": "sk-***", "code": "c"}, "choices": [{"index": 0, "delta": {}}]}


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf", b"event: error\n", b": comment\n"])
def test_any_spelling_of_an_event(end: bytes, start: bytes) -> None:
    spread = start + b'data: {"error":\ndata:{"message":"key %b"}}\n\n' % KEY.encode()
    shown, told = with_shown_errors(
        (CHUNK + spread if start != b"\xef\xbb\xbf" else spread + CHUNK).replace(b"\n", end)
    )
    assert told
    assert KEY.encode() not in shown
    assert b'data: {"error":{"message":"key sk-***"}}\n\n' in shown


@pytest.mark.parametrize("value", [b"null", b"false", b'""', b"{}", b"0"])
def test_an_error_that_is_nothing_reports_nothing(value: bytes) -> None:
    event = b'data: {"error":%b,"choices":[]}\n\n' % value
    assert with_shown_errors(event) == (event, False)


@pytest.mark.parametrize(
    "events", [b"", CHUNK, b'data: {"error"\n\n', b'data: "error"\n\n', b'data: {"x":{"error":1}}\n\n']
)
def test_everything_else_passes_as_it_is(events: bytes) -> None:
    assert with_shown_errors(events) == (events, False)


def test_an_error_without_a_message_gets_one() -> None:
    for error in ("true", "7", '["x"]', '{"code":500}'):
        shown, told = with_shown_errors(b'data: {"error":%b}\n\n' % error.encode())
        assert told
        assert json.loads(shown[6:])["error"]["message"]


def test_choices_that_are_none_are_left_out() -> None:
    shown, _ = with_shown_errors(b'data: {"error":{"message":"m"},"choices":"x"}\n\n')
    assert json.loads(shown[6:]) == {"error": {"message": "m"}}


def test_a_whole_answer() -> None:
    body = encode({"id": "a", "error": {"message": f"key {KEY}", "internal": "host"}, "choices": []})
    assert json.loads(with_shown_error(body)) == {"id": "a", "error": {"message": "key sk-***"}, "choices": []}
    fine = b'{"id":"a",  "error": null}'
    assert with_shown_error(fine) == fine
    assert with_shown_error(b'no "error"') == b'no "error"'


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b'{"error":{"message":"m","code":7},"input":"prompt"}', '{"error":{"message":"m","code":7}}'),
        (b'{"error":{"message":"m","stack":"prompt"},"detail":"d"}', '{"detail":"d","error":{"message":"m"}}'),
        (b'{"error":"m","message":{"x":"prompt"}}', '{"error":"m"}'),
        (b'{"detail":[{"msg":"bad","input":"prompt"}],"message":"m"}', '{"message":"m"}'),
        (b'{"input":"prompt"}', "{}"),
        (b'["prompt"]', ""),
        (b'{"error":{"message":"prom', ""),
        (b" [", ""),
        (b"<h1>Bad\xff</h1>", "<h1>Bad\ufffd</h1>"),
        (b"", ""),
    ],
)
def test_what_is_logged_of_a_refusal(body: bytes, kept: str) -> None:
    assert text_for_logs(body) == kept


def test_no_more_is_logged_than_anybody_reads() -> None:
    assert text_for_logs("é".encode() * 60_000) == "é" * 4_096
    assert len(text_for_logs(b'{"error":"%b"}' % (b"e" * 60_000))) == 4_096
