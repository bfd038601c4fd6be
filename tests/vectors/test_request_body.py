"""Vectors of request-path, "Body parsing", and those of "Request validation" that the body alone decides."""

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tollway.catalog.model import normal_id
from tollway.errors import Problem
from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services
from tollway.gateway.stages import parse_request
from tollway.http.problems import problem_body
from tollway.wire.chat import ChatRequest, parse_chat, with_usage

INVALID = (
    400,
    b'{"error":"Invalid request","message":"Could not parse request body. Please ensure it is valid JSON."}',
)
NO_MODEL = (404, b'{"error":"Model not found","message":"The requested model could not be found."}')
UNAVAILABLE = (
    503,
    b'{"error":"Service Unavailable","message":"The service is temporarily unavailable. Please try again later."}',
)


def parse(body: bytes) -> ChatRequest | tuple[int, bytes]:
    """What was read, or status and body of the refusal on a drop-in prefix."""
    exchange = SimpleNamespace(inbound=SimpleNamespace(body=body))
    result = parse_request.run(cast("Exchange", exchange), cast("Services", None))
    return (result.http_status, problem_body(result, "id", True)) if isinstance(result, Problem) else result


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        pytest.param(b"", INVALID, id="request:BP1-empty"),
        pytest.param(b"{bad", INVALID, id="request:BP1-bad"),
        pytest.param(b"null", INVALID, id="request:BP1-null"),
        pytest.param(b"123", INVALID, id="request:BP1-number"),
        pytest.param(b'"x"', INVALID, id="request:BP1-string"),
        pytest.param(b"true", INVALID, id="request:BP1-true"),
        pytest.param(b"NaN", INVALID, id="request:BP1-nan"),
        pytest.param(b'{"a":1,}', INVALID, id="request:BP1-comma"),
        pytest.param(b"[]", INVALID, id="request:BP2"),
        pytest.param(b'{"model":"a/b","temperature":1e400}', INVALID, id="request:BP3-overflow"),
        pytest.param(b'\xef\xbb\xbf{"model":"a/b"}', INVALID, id="request:BP3-bom"),
        pytest.param(b'{"model":"a/b","model":"c/d"}', INVALID, id="request:BP3-doubled"),
        pytest.param(b"{}", NO_MODEL, id="request:BP9-missing"),
        pytest.param(b'{"model":""}', NO_MODEL, id="request:BP9-empty"),
        pytest.param(b'{"model":"   "}', NO_MODEL, id="request:BP9-spaces"),
        pytest.param(b'{"model":123}', NO_MODEL, id="request:BP9-number"),
        pytest.param(b'{"model":null}', NO_MODEL, id="request:BP9-null"),
        pytest.param(b'{"model":"a/b","messages":"hi"}', INVALID, id="request:BP11-text"),
        pytest.param(b'{"model":"a/b","messages":[1]}', INVALID, id="request:BP11-number"),
        pytest.param(b'{"model":"a/b","max_tokens":100000000000}', UNAVAILABLE, id="request:RV2"),
        pytest.param(b'{"model":"a/b","max_completion_tokens":100000000000}', UNAVAILABLE, id="request:RV3"),
    ],
)
def test_refused(body: bytes, refusal: tuple[int, bytes]) -> None:
    assert parse(body) == refusal


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"model":"a/b"}', id="request:BP12"),
        pytest.param(b'{"model":"a/b","max_tokens":99999999999}', id="request:RV1"),
    ],
)
def test_read(body: bytes) -> None:
    assert isinstance(parse(body), ChatRequest)


@pytest.mark.parametrize(
    ("body", "options"),
    [
        pytest.param({"messages": []}, {"include_usage": True}, id="request:BP5"),
        pytest.param(
            {"stream_options": {"include_usage": False, "x": 1}}, {"include_usage": True, "x": 1}, id="request:BP6"
        ),
        pytest.param({"stream_options": None}, {"include_usage": True}, id="request:BP7-null"),
        pytest.param({"stream_options": "y"}, {"include_usage": True}, id="request:BP7-text"),
        pytest.param({"models": ["a/b", "c/d"]}, {"include_usage": True}, id="request:BP8"),
    ],
)
def test_shaped(body: dict[str, Any], options: dict[str, Any]) -> None:
    sent = with_usage(parse_chat(json.dumps({"model": "a/b", **body}).encode()).body)
    assert sent["stream_options"] == options
    assert "models" not in sent


@pytest.mark.parametrize("_", [pytest.param(0, id="request:BP10")])
def test_three_spellings_of_a_model(_: int) -> None:
    request = parse_chat(b'{"model":"  Anthropic/Claude-Sonnet-4.6 "}')
    assert request.model == "Anthropic/Claude-Sonnet-4.6"
    assert normal_id(request.model) == "anthropic/claude-sonnet-4.6"
