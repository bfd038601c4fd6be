import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from tollway.admin.upstream_probes import (
    BODY_BYTES_MAX,
    DISCOVER_S,
    FAILED,
    TEST_S,
    WORKS,
    Place,
    Probed,
    discover_models,
    entered_place,
    listed_models,
    stored_place,
    try_upstream,
)
from tollway.errors import Code, Problem
from tollway.identity.outbound import OutboundRules
from tollway.providers.registry import Upstream
from unit.admin.test_upstream_changes import HEADERS, KEY, SEALER, row

RULES = OutboundRules()
PLAIN = {"id": "m", "name": "m", "supportsVision": False}


class Ask:
    """An endpoint that says one thing, and remembers what it was asked."""

    def __init__(self, status: int | None = 200, body: Any = b"{}") -> None:
        self.answer = (
            None if status is None else (status, body if isinstance(body, bytes) else json.dumps(body).encode())
        )

    async def __call__(
        self, upstream: Upstream, head: bytes, body: bytes, timeout_s: float, body_bytes_max: int
    ) -> tuple[int, bytes] | None:
        self.upstream, self.head, self.body, self.bounds = upstream, head, body, (timeout_s, body_bytes_max)
        return self.answer


def place(**changes: Any) -> Place:
    found = stored_place(row(**changes), RULES, SEALER)
    assert isinstance(found, Place)
    return found


def tried(ask: Ask, model: object = None, **changes: Any) -> Probed | Problem:
    return asyncio.run(try_upstream(ask, place(**changes), row(**changes), model))


def test_one_tiny_request_the_guarded_way() -> None:
    ask = Ask()
    assert tried(ask, model_metadata={"models": [{"id": "m1"}, {"id": "m2"}]}) == Probed(True, WORKS)
    body = {"model": "m1", "messages": [{"role": "user", "content": "Say hi"}], "max_tokens": 1}
    assert json.loads(ask.body) == body
    lines = ask.head.decode().split("\r\n")
    assert lines[0] == "POST /v1/chat/completions HTTP/1.1"
    assert {f"Authorization: Bearer {KEY}", "X-Team: blue", f"Content-Length: {len(ask.body)}"} <= set(lines)
    assert ask.upstream.origin.is_guarded
    assert ask.bounds == (TEST_S, BODY_BYTES_MAX) == (15, 2 * 1024 * 1024)
    tried(ask, "named")
    assert json.loads(ask.body)["model"] == "named"


@pytest.mark.parametrize("status", [None, 199, 302, 401, 500])
def test_what_a_failure_says_is_kept_back(status: int | None) -> None:
    assert tried(Ask(status, b"the key is sk-1"), "m") == Probed(False, FAILED)


@pytest.mark.parametrize("model", [None, 5, " ", "x" * 201])
def test_a_model_must_be_named(model: object) -> None:
    refused = tried(Ask(), model)
    assert isinstance(refused, Problem)
    assert str(refused.shown).startswith("model: ")


def discovered(ask: Ask) -> Any:
    return asyncio.run(discover_models(ask, place()))


def test_models_that_an_endpoint_lists() -> None:
    ask = Ask(200, {"data": [{"id": "org/Model-1", "context_length": 5}]})
    assert discovered(ask) == [{"id": "org/Model-1", "name": "Model-1", "supportsVision": False, "context_length": 5}]
    assert ask.head.startswith(b"GET /v1/models HTTP/1.1\r\n")
    assert f"Authorization: Bearer {KEY}\r\n".encode() in ask.head
    assert (ask.body, ask.bounds) == (b"", (DISCOVER_S, BODY_BYTES_MAX))


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (None, b"", "no answer"),
        (401, b"sk-1", "401"),
        (307, b"", "307"),
        (200, b"sk-1", "not a list of models"),
        (200, {"data": {}}, "not a list of models"),
        (200, [], "not a list of models"),
    ],
)
def test_what_cannot_be_loaded(status: int | None, body: Any, why: str) -> None:
    refused = discovered(Ask(status, body))
    assert (refused.code, refused.shown) == (Code.BAD_REQUEST, f"Failed to load models: {why}")


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"id": "m"}, PLAIN),
        ({"id": "m", "name": "a/b/Name"}, {"id": "m", "name": "Name", "supportsVision": False}),
        ({"id": "m", "name": 5}, PLAIN),
        ({"id": "m/"}, {"id": "m/", "name": "m/", "supportsVision": False}),
        ({"id": "m", "input_modalities": ["text", "image"]}, {"id": "m", "name": "m", "supportsVision": True}),
        (
            {"id": "m", "max_model_len": 9, "max_output_length": 3},
            {"id": "m", "name": "m", "supportsVision": False, "context_length": 9, "max_completion_tokens": 3},
        ),
        (
            {"id": "m", "context_length": 0, "max_output_length": True},
            {"id": "m", "name": "m", "supportsVision": False},
        ),
        ({"id": "m", "supported_features": ["tools"]}, PLAIN),
        ({"id": "m", "supported_features": []}, None),
        ({"id": ""}, None),
        ({"id": 5}, None),
        ({"id": "a\nb"}, None),
        ("m", None),
    ],
)
def test_entries(entry: object, expected: dict[str, Any] | None) -> None:
    assert listed_models([entry]) == ([expected] if expected else [])


def test_each_model_once_and_no_more_than_can_be_saved() -> None:
    assert [one["id"] for one in listed_models([{"id": "M"}, {"id": "m"}])] == ["M"]
    assert len(listed_models([{"id": str(number)} for number in range(600)])) == 500


def test_places_that_cannot_be_tried() -> None:
    without_key = replace(row(), sealed_key=None)
    refused = stored_place(without_key, RULES, SEALER)
    assert isinstance(refused, Problem)
    assert refused.shown == "api_key: must be entered again"
    inside = stored_place(row(base_url="https://10.0.0.1/v1"), RULES, SEALER)
    assert isinstance(inside, Problem)
    assert str(inside.shown).startswith("base_url: ")
    for broken in (
        replace(row(), sealed_key={"version": 1}),
        replace(row(), sealed_headers=SEALER.seal('{"Host":"x"}', row().upstream.headers_place)),
        replace(row(), sealed_key=SEALER.seal("a\r\nb", row().upstream.key_place)),
    ):
        unusable = stored_place(broken, RULES, SEALER)
        assert isinstance(unusable, Problem)
        assert unusable.code is Code.CREDENTIAL_UNAVAILABLE


def test_what_is_entered_is_checked_like_what_is_saved() -> None:
    entered = entered_place("https://a.example/v1/", " sk-1 ", {"X-Team": "blue"}, RULES)
    assert isinstance(entered, Place)
    assert (entered.address.text, entered.key, entered.headers) == ("https://a.example/v1", "sk-1", HEADERS)
    assert "sk-1" not in repr(entered)
    assert "blue" not in repr(entered)
    for arguments, field in (
        (("http://a.example", "k", None), "base_url"),
        (("https://a.example", "", None), "api_key"),
        (("https://a.example", "k", {"Host": "x"}), "extra_headers"),
    ):
        refused = entered_place(*arguments, RULES)
        assert isinstance(refused, Problem)
        assert str(refused.shown).startswith(field)
