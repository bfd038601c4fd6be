import json
from typing import Any

import pytest

from tollway.wire.dialects.responses_facts import (
    ResponsesAnswer,
    error_of,
    finish_reason,
    read_answer,
    read_event,
    usage_of,
)
from tollway.wire.usage import Usage


def answer(**members: Any) -> ResponsesAnswer:
    read = read_answer(json.dumps(members).encode())
    assert read
    return read


@pytest.mark.parametrize("text", [b"", b"[]", b"null", b"\xff", b'{"type":', b'{"item":' + b"[" * 100_000])
def test_what_is_no_object_is_nothing(text: bytes) -> None:
    assert read_event(text) is None
    assert read_answer(text.replace(b"item", b"output")) is None


def test_fields_of_any_type_are_read() -> None:
    event = read_event(b'{"type":["x"],"delta":5,"response":{"id":1},"obfuscation":"x"}')
    assert event
    assert (event.type, event.delta, event.item, bytes(event.response)) == (["x"], 5, None, b'{"id":1}')


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, None),
        ({}, None),
        ("x", None),
        ([], None),
        ({"input_tokens": 3, "output_tokens": 2}, Usage(3, 2)),
        ({"input_tokens": 3, "output_tokens": -2}, None),
        ({"input_tokens": 3, "input_tokens_details": {"cached_tokens": 9}}, Usage(3, 0, 3)),
        ({"output_tokens": 3, "output_tokens_details": {"reasoning_tokens": "x"}}, Usage(0, 3)),
        ({"input_tokens": 3, "input_tokens_details": 5}, Usage(3, 0)),
    ],
)
def test_usage(usage: Any, expected: Usage | None) -> None:
    assert usage_of(answer(usage=usage)) == expected


@pytest.mark.parametrize(
    ("details", "has_calls", "expected"),
    [
        (None, False, "stop"),
        (None, True, "tool_calls"),
        ({"reason": "max_output_tokens"}, True, "length"),
        ({"reason": "content_filter"}, True, "content_filter"),
        ({"reason": None}, True, "tool_calls"),
        ({"reason": "odd"}, False, "stop"),
    ],
)
def test_finish_reasons(details: Any, has_calls: bool, expected: str) -> None:
    assert finish_reason(answer(incomplete_details=details), has_calls) == expected


@pytest.mark.parametrize(
    ("holder", "status", "message"),
    [
        (b'{"error":{"code":"odd","type":"invalid_request_error","message":"No."}}', 400, "No."),
        (b'{"type":"error","code":"insufficient_quota","message":"No."}', 429, "No."),
        (b'{"error":"x","message":"No."}', 500, "No."),
        (b'{"error":{"code":5}}', 500, "Internal Server Error"),
        (b"null", 500, "Internal Server Error"),
        (b"{", 500, "Internal Server Error"),
    ],
)
def test_errors(holder: bytes, status: int, message: str) -> None:
    error = error_of(holder)
    assert (error.status, error.message) == (status, message)


def test_an_error_that_is_null_is_none() -> None:
    assert not answer(error=None).has_error
    assert answer(error={"code": "x"}).has_error
