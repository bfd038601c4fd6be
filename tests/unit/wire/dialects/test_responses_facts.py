from typing import Any

import pytest

from tollway.wire.dialects.responses_facts import error_of, finish_reason, usage_of
from tollway.wire.usage import Usage


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, None),
        ({}, None),
        ("x", None),
        ({"input_tokens": 3, "output_tokens": 2}, Usage(3, 2)),
        ({"input_tokens": 3, "output_tokens": -2}, None),
        ({"input_tokens": 3, "input_tokens_details": {"cached_tokens": 9}}, Usage(3, 0, 3)),
        ({"output_tokens": 3, "output_tokens_details": {"reasoning_tokens": "x"}}, Usage(0, 3)),
    ],
)
def test_usage(usage: Any, expected: Usage | None) -> None:
    assert usage_of({"usage": usage}) == expected


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
    assert finish_reason({"incomplete_details": details}, has_calls) == expected


def test_an_error_names_its_status_by_code_or_type() -> None:
    assert error_of({"error": {"code": "odd", "type": "invalid_request_error"}}).status == 400
    assert error_of({"code": "insufficient_quota"}).status == 429
    assert error_of({"error": "x"}).status == 500
