"""Vectors RV1 to RV7 of request-path, through the running program."""

import pytest

from flow.accounts import Account, Accounts
from flow.programs import Gateway
from flow.raw import Response, ask, request
from vectors.upstream import Upstream

PATH = b"/api/openrouter/chat/completions"
OUTAGE = b'{"error":"Service Unavailable","message":"The service is temporarily unavailable. Please try again later."}'
ENDED = b'{"error":"The alpha period for this model has ended.","message":"The alpha period for this model has ended."}'
NOT_FOUND = b'{"error":"Model not found","message":"The requested model could not be found."}'
SIGN_IN = b'{"error":{"code":"PAID_MODEL_AUTH_REQUIRED","message":"You need to sign in to use this model."}}'
DEAD, UNAVAILABLE = "x-ai/grok-code-fast-1:optimized:free", "deepseek/deepseek-r1-0528:free"


def _ask(gateway: Gateway, account: Account | None, model: str = "a/b", **more: object) -> Response:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **more}
    return ask(gateway, request(body, PATH, account.headers if account else {}))


@pytest.mark.parametrize("tokens", [pytest.param(99_999_999_999, id="request:RV1")])
def test_the_cap_is_allowed(kilo: Gateway, upstream: Upstream, kilo_caller: Account, tokens: int) -> None:
    assert _ask(kilo, kilo_caller, max_tokens=tokens).status == 200
    assert upstream.next().body["max_tokens"] == tokens


@pytest.mark.parametrize(
    "name", [pytest.param("max_tokens", id="request:RV2"), pytest.param("max_completion_tokens", id="request:RV3")]
)
def test_beyond_the_cap(kilo: Gateway, upstream: Upstream, kilo_caller: Account, name: str) -> None:
    answer = _ask(kilo, kilo_caller, **{name: 100_000_000_000})
    assert (answer.status, answer.body) == (503, OUTAGE)
    assert upstream.is_untouched
    line = kilo.wait_for('{"user":')
    while '"event":"impossible_token_limit"' not in line:
        line = kilo.wait_for('{"user":')
    assert line.startswith(f'"{kilo_caller.user_id}"')
    assert '"tokens":100000000000' in line


@pytest.mark.parametrize(
    "model", [pytest.param(DEAD, id="request:RV4"), pytest.param(DEAD.upper(), id="request:RV4-X")]
)
def test_dead(kilo: Gateway, upstream: Upstream, kilo_caller: Account, model: str) -> None:
    for account in (kilo_caller, None):
        answer = _ask(kilo, account, model)
        assert (answer.status, answer.body) == (404, ENDED)
    assert upstream.is_untouched


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(UNAVAILABLE, id="request:RV5"),
        pytest.param("qwen/qwen3-coder:free", id="request:RV5-in-the-catalog"),
    ],
)
def test_unavailable(kilo: Gateway, upstream: Upstream, kilo_caller: Account, model: str) -> None:
    for account in (kilo_caller, None):
        answer = _ask(kilo, account, model)
        assert (answer.status, answer.body) == (404, NOT_FOUND)
    assert upstream.is_untouched


@pytest.mark.parametrize("model", [pytest.param(DEAD, id="request:RV6")])
def test_before_the_balance(kilo: Gateway, kilo_accounts: Accounts, model: str) -> None:
    poor = kilo_accounts.create(0)
    answer = _ask(kilo, poor, model)
    assert (answer.status, answer.body) == (404, ENDED)


@pytest.mark.parametrize("tokens", [pytest.param(100_000_000_000, id="request:RV7")])
def test_behind_the_gate(kilo: Gateway, upstream: Upstream, tokens: int) -> None:
    answer = _ask(kilo, None, max_tokens=tokens)
    assert (answer.status, answer.body) == (401, SIGN_IN)
    assert upstream.is_untouched
