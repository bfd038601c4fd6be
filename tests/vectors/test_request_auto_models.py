"""Vectors AM1 to AM9 and AM11 of request-path: the preset's table, then the same through the running program."""

import json
from typing import Any

import pytest
from msgspec.json import encode

from flow.accounts import Account
from flow.programs import Gateway
from flow.raw import Response, ask, request
from tollway.catalog.preset import AutoModel, AutoTarget
from tollway.gateway.context import Contexts
from tollway.routing.auto_model import auto_models, metric_names, resolve
from tollway.storage.presets import load_preset
from tollway.wire.chat import ChatRequest, parse_chat
from vectors.upstream import Upstream

KILO = load_preset("kilo")
PATH = b"/api/gateway/chat/completions"
SONNET, OPUS = "anthropic/claude-sonnet-4.6", "anthropic/claude-opus-4.6"
ENABLED = {"enabled": True}
SENT = {"minimax/minimax-m2.5:free": "minimax/minimax-m2.5"}  # hosted models have another id upstream (11.5)
SIGN_IN = b'{"error":{"code":"PAID_MODEL_AUTH_REQUIRED","message":"You need to sign in to use this model."}}'

CASES = [
    pytest.param("kilo/auto", None, {}, (SONNET, ENABLED, "low"), id="request:AM1"),
    pytest.param("kilo/auto", "no-such-mode", {}, (SONNET, ENABLED, "low"), id="request:AM2"),
    pytest.param("kilo/auto", "plan", {}, (OPUS, ENABLED, "high"), id="request:AM3"),
    pytest.param("kilo/auto", "general", {}, (OPUS, ENABLED, "medium"), id="request:AM4"),
    pytest.param("kilo/auto", "build", {}, (SONNET, ENABLED, "medium"), id="request:AM5"),
    pytest.param("KILO/Auto", " PLAN ", {}, (OPUS, ENABLED, "high"), id="request:AM6"),
    pytest.param("kilo/auto-free", "plan", {}, ("minimax/minimax-m2.5:free", None, None), id="request:AM7"),
    pytest.param("kilo/auto-free", None, {}, ("minimax/minimax-m2.5:free", None, None), id="request:AM7-no-mode"),
    pytest.param(
        "kilo/auto-small",
        "plan",
        {"reasoning": {"effort": "low"}, "verbosity": "low"},
        ("openai/gpt-5-nano", {"effort": "low"}, "low"),
        id="request:AM8",
    ),
    pytest.param(
        "kilo/auto",
        "plan",
        {"reasoning": {"effort": "low"}, "verbosity": "low"},
        (OPUS, ENABLED, "high"),
        id="request:AM9",
    ),
]


def _seen(body: dict[str, Any]) -> tuple[str, object, object]:
    return body["model"], body.get("reasoning"), body.get("verbosity")


def _resolve(model: str, mode: str | None = None, **more: object) -> ChatRequest:
    headers = {b"x-kilocode-mode": mode.encode()} if mode else {}
    asked = parse_chat(encode({"model": model, "messages": [], **more}))
    entry = auto_models(KILO.auto_models)[model.lower()]
    return resolve(asked, entry, Contexts(KILO).read(headers, PATH.decode()).mode)


@pytest.mark.parametrize(("model", "mode", "more", "expected"), CASES)
def test_what_it_stands_for(
    model: str, mode: str | None, more: dict[str, object], expected: tuple[str, object, object]
) -> None:
    assert _seen(_resolve(model, mode, **more).body) == expected


@pytest.mark.parametrize(
    ("model", "mode", "names"),
    [
        pytest.param("KILO/Auto", " PLAN ", ("kilo/auto", OPUS), id="request:AM6-metrics"),
        pytest.param("kilo/auto-free", None, ("kilo/auto-free", "minimax/minimax-m2.5"), id="request:AM7-metrics"),
    ],
)
def test_the_names_in_metrics(model: str, mode: str | None, names: tuple[str, str]) -> None:
    assert metric_names(_resolve(model, mode)) == names


@pytest.mark.parametrize("target", [pytest.param(AutoTarget(SONNET), id="request:AM11")])
def test_an_earlier_table_is_another_configuration(target: AutoTarget) -> None:
    entry = AutoModel("kilo/auto", default=target)
    asked = parse_chat(b'{"model":"kilo/auto","messages":[]}')
    assert _seen(resolve(asked, entry, None).body) == (SONNET, None, None)


def _ask(gateway: Gateway, body: dict[str, object], mode: str | None, account: Account | None) -> Response:
    headers = {**(account.headers if account else {}), **({"x-kilocode-mode": mode} if mode else {})}
    return ask(gateway, request({**body, "messages": [{"role": "user", "content": "hi"}]}, PATH, headers))


@pytest.mark.parametrize(("model", "mode", "more", "expected"), CASES)
def test_what_is_sent(
    kilo: Gateway,
    upstream: Upstream,
    kilo_caller: Account,
    model: str,
    mode: str | None,
    more: dict[str, object],
    expected: tuple[str, object, object],
) -> None:
    assert _ask(kilo, {"model": model, **more}, mode, kilo_caller).status == 200
    assert _seen(upstream.next().body) == (SENT.get(expected[0], expected[0]), *expected[1:])
    line = json.loads('{"event":"request"' + kilo.wait_for('{"event":"request"'))
    while (line["auto_model"], line["model"]) != (model.lower(), expected[0]):
        line = json.loads('{"event":"request"' + kilo.wait_for('{"event":"request"'))


@pytest.mark.parametrize("model", [pytest.param("kilo/auto-free", id="request:AM7-anonymous")])
def test_the_free_one_needs_no_account(kilo: Gateway, upstream: Upstream, model: str) -> None:
    assert _ask(kilo, {"model": model}, None, None).status == 200
    assert upstream.next().body["model"] == SENT["minimax/minimax-m2.5:free"]


@pytest.mark.parametrize("model", [pytest.param("kilo/auto-small", id="request:AM8-anonymous")])
def test_the_paid_one_does(kilo: Gateway, upstream: Upstream, model: str) -> None:
    answer = _ask(kilo, {"model": model}, None, None)
    assert (answer.status, answer.body) == (401, SIGN_IN)
    assert upstream.is_untouched
