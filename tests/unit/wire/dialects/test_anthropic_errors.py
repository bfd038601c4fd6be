import json
from typing import Any

import pytest

from tollway.wire.dialects.anthropic_errors import anthropic_error, anthropic_error_event, status_of, type_of


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ({"type": "overloaded_error"}, 529),
        ({"type": "rate_limit_error"}, 429),
        ({"type": "strange"}, 500),
        ({"type": ["x"]}, 500),
        (None, 500),
    ],
)
def test_statuses(error: Any, status: int) -> None:
    assert status_of({"type": "error", "error": error}) == status


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (402, "billing_error"),
        (409, "invalid_request_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (502, "api_error"),
        (503, "overloaded_error"),
        (529, "overloaded_error"),
    ],
)
def test_types(status: int, kind: str) -> None:
    assert type_of(status) == kind


def test_a_body_and_an_event() -> None:
    body = anthropic_error("Wait.\n\n", 429)
    assert json.loads(body) == {"type": "error", "error": {"type": "rate_limit_error", "message": "Wait.\n\n"}}
    assert anthropic_error_event("Wait.\n\n", 429) == b"event: error\ndata: " + body + b"\n\n"
