"""Vectors HD1 to HD16 of request-path: functions on raw values, then what can be seen from outside."""

from typing import Any

import pytest

from flow.accounts import Account
from flow.programs import Gateway
from flow.raw import ask, request
from tollway.gateway.context import Contexts
from tollway.storage.presets import load_preset
from tollway.wire.client_headers import limited, read_fraud_headers, version_number
from tollway.wire.prompt_info import estimate_tokens, has_middle_out, is_streaming, prompt_info
from vectors.upstream import Upstream

CONTEXTS = Contexts(load_preset("kilo"))
GATEWAY, OPENROUTER, OPENAI = (f"{prefix}/chat/completions" for prefix in ("/api/gateway", "/api/openrouter", "/v1"))
SIGN_IN = b'{"error":{"code":"PAID_MODEL_AUTH_REQUIRED","message":"You need to sign in to use this model."}}'


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("a" + 600 * " ", "a", id="request:HD1"),
        pytest.param(500 * " " + "b", None, id="request:HD2"),
        pytest.param(600 * "x", 500 * "x", id="request:HD3"),
    ],
)
def test_limited_headers(value: str, expected: str | None) -> None:
    assert limited(value) == expected
    assert CONTEXTS.read({b"x-kilocode-taskid": value.encode()}, GATEWAY).task_id == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [pytest.param([b"37.7749", b"37.7xyz", b"abc", None], [37.7749, 37.7, None, None], id="request:HD4")],
)
def test_coordinates(values: list[bytes | None], expected: list[float | None]) -> None:
    for name in ("latitude", "longitude"):
        header = f"x-vercel-ip-{name}".encode()
        sent: list[dict[bytes, bytes]] = [{} if value is None else {header: value} for value in values]
        read = [read_fraud_headers(one, is_peer_trusted=True, forwarded_for=None) for one in sent]
        assert [getattr(one, f"http_x_vercel_ip_{name}") for one in read] == expected


@pytest.mark.parametrize(
    ("value", "paths", "expected"),
    [
        pytest.param("CLI ", [GATEWAY, OPENROUTER, OPENAI], "cli", id="request:HD5-spelling"),
        pytest.param("slack", [GATEWAY, OPENROUTER, OPENAI], "slack", id="request:HD5-known"),
        pytest.param("unknown", [GATEWAY, OPENROUTER, OPENAI], None, id="request:HD5-unknown"),
        pytest.param(None, [OPENROUTER], None, id="request:HD5-absent"),
        pytest.param(None, [GATEWAY, OPENAI], "direct-gateway", id="request:HD6"),
        pytest.param(None, [OPENROUTER], None, id="request:HD6-openrouter"),
    ],
)
def test_features(value: str | None, paths: list[str], expected: str | None) -> None:
    headers = {} if value is None else {b"x-kilocode-feature": value.encode()}
    assert [CONTEXTS.read(headers, path).feature for path in paths] == [expected] * len(paths)


@pytest.mark.parametrize(
    ("version", "number"),
    [
        pytest.param("4.65.3", 4.065003, id="request:HD7"),
        pytest.param("4.65.3 (Mac OS X)", 4.065003, id="request:HD7-system"),
        pytest.param("4.65.3-alpha.1 extra", 4.065003, id="request:HD7-tag"),
        pytest.param("4.1", 4.001, id="request:HD7-minor"),
        pytest.param("4", 4.0, id="request:HD7-major"),
        pytest.param("4.82.0beta", 0.0, id="request:HD8"),
        pytest.param("v4.1.0", 0.0, id="request:HD8-letter"),
        pytest.param("4.1.2.3", 0.0, id="request:HD8-four"),
        pytest.param("", 0.0, id="request:HD8-empty"),
    ],
)
def test_versions(version: str, number: float) -> None:
    assert version_number(version) == pytest.approx(number, abs=1e-9)
    assert CONTEXTS.read({b"x-kilocode-version": version.encode()}, GATEWAY).client_version == version_number(version)


def _message(role: str, content: object) -> dict[str, object]:
    return {"role": role, "content": content}


PARTS = [{"type": "text", "text": "b"}, {"type": "image_url", "image_url": {"url": "x"}}, {"type": "text", "text": "c"}]


@pytest.mark.parametrize(
    "messages",
    [
        pytest.param(
            [
                _message("system", "a"),
                _message("developer", PARTS),
                _message("user", "u1"),
                _message("assistant", "no"),
                _message("user", "u2"),
            ],
            id="request:HD9",
        )
    ],
)
def test_prompt_info(messages: list[dict[str, object]]) -> None:
    info = prompt_info({"messages": messages}, has_prefixes=True)
    assert (info.system_prefix, info.system_length, info.user_prefix) == ("a\nb\nc", 5, "u2")


@pytest.mark.parametrize(
    ("contents", "tokens"),
    [
        pytest.param(["Hello, how are you?", "I am doing well, thank you!"], 11.5, id="request:HD10"),
        pytest.param(
            [[{"type": "text", "text": "abc"}, {"type": "image_url"}, {"type": "text", "text": "defg"}]],
            2.25,
            id="request:HD11",
        ),
        pytest.param(["\U0001f600"], 0.5, id="request:HD12"),
        pytest.param([None], 0, id="request:HD12-null"),
    ],
)
def test_estimates(contents: list[object], tokens: float) -> None:
    assert estimate_tokens({"messages": [_message("user", content) for content in contents]}) == tokens


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param({"transforms": ["middle-out"]}, True, id="request:HD13"),
        pytest.param({"transforms": []}, False, id="request:HD13-empty"),
        pytest.param({}, False, id="request:HD13-absent"),
    ],
)
def test_middle_out(body: dict[str, Any], expected: bool) -> None:
    assert has_middle_out(body) is expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param({"stream": True}, True, id="request:HD14"),
        pytest.param({"stream": 1}, False, id="request:HD14-number"),
        pytest.param({}, False, id="request:HD14-absent"),
    ],
)
def test_streaming(body: dict[str, Any], expected: bool) -> None:
    assert is_streaming(body) is expected


# Through the running program. Names of headers differ in case, so that they are two of one name.

BODY = {"model": "a/b", "messages": [{"role": "user", "content": "hi"}]}
ORGANIZATIONS = ("6f1d9a52-8a0e-4f0c-9a1e-2b3c4d5e6f70", "7f1d9a52-8a0e-4f0c-9a1e-2b3c4d5e6f70")


@pytest.mark.parametrize("name", [pytest.param("x-kilocode-organizationid", id="request:HD15")])
def test_two_organizations(kilo: Gateway, upstream: Upstream, kilo_caller: Account, name: str) -> None:
    headers = {**kilo_caller.headers, name: ORGANIZATIONS[0], name.upper(): ORGANIZATIONS[1]}
    answer = ask(kilo, request(BODY, GATEWAY.encode(), headers))
    assert (answer.status, answer.body) == (401, SIGN_IN)
    assert upstream.is_untouched


@pytest.mark.parametrize("name", [pytest.param("authorization", id="request:HD16")])
def test_two_credentials(kilo: Gateway, upstream: Upstream, kilo_caller: Account, name: str) -> None:
    for path in (GATEWAY, OPENROUTER):
        headers = {name: kilo_caller.headers["Authorization"], name.upper(): kilo_caller.headers["Authorization"]}
        answer = ask(kilo, request(BODY, path.encode(), headers))
        assert answer.status == 400
        assert answer.json["error"] == "Invalid request"
    assert upstream.is_untouched
