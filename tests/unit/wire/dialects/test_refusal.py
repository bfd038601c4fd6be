import json

import pytest

from tollway.wire.dialects.refusal import (
    Refusal,
    provider_error_body,
    reason_phrase,
    unsupported_part,
    unsupported_role,
    unsupported_tool,
)


def told(body: bytes) -> object:
    return json.loads(body)["error"]


def test_a_refusal_is_a_bad_request() -> None:
    assert told(Refusal("No.").body) == {"message": "No.", "code": 400, "type": "error"}
    assert unsupported_part("image_url").refusal == Refusal("Unsupported content part: image_url")
    assert unsupported_role("x").refusal == Refusal("Unsupported message role: x")
    assert unsupported_tool("x").refusal == Refusal("Unsupported tool: x")


@pytest.mark.parametrize("kind", [None, "", 1, {}])
def test_what_has_no_name(kind: object) -> None:
    assert unsupported_part(kind).refusal.message == "Unsupported content part: unknown"


def test_a_long_name_is_cut() -> None:
    assert len(unsupported_part("x" * 1_000).refusal.message) < 100


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b'{"error":{"message":"slow down"}}', 429, "slow down"),
        (b'{"type":"error","error":{"type":"x","message":"no such model"}}', 404, "no such model"),
        (b"", 429, "Too Many Requests"),
        (b"<html>", 502, "Bad Gateway"),
        (b'{"error":{}}', 500, "Internal Server Error"),
        (b"", 529, "Generation failed"),
    ],
)
def test_what_a_provider_says(body: bytes, status: int, message: str) -> None:
    assert told(provider_error_body(body, status)) == {"message": message, "code": status, "type": "error"}


def test_secrets_are_not_passed_on() -> None:
    secret = "sk-ant-" + "a" * 40
    body = json.dumps({"error": {"message": f"wrong key {secret}"}}).encode()
    assert secret.encode() not in provider_error_body(body, 401)


def test_phrases() -> None:
    assert reason_phrase(418) == "I'm a Teapot"
    assert reason_phrase(0) == "Generation failed"
