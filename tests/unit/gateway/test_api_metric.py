"""Records of exchanges that ended in every way there is."""

from dataclasses import replace as replace_fields

import pytest
from msgspec.structs import replace

from tollway.gateway.api_metric import metric_of
from tollway.gateway.context import Contexts
from tollway.gateway.exchange import Exchange
from tollway.gateway.reply import NO_FACTS, Reply
from tollway.gateway.upstream_port import Failure, FailureKind
from tollway.observability.api_metrics import ApiMetric, Tokens
from tollway.routing.precedence import OwnRoute, Rule
from tollway.wire.answer import Answer
from tollway.wire.chat import parse_chat
from tollway.wire.usage import Usage
from unit.gateway.closers.test_settle_funds import TOLD
from unit.gateway.fakes import ANONYMOUS, CALLER, PRESET, body_of, candidate, exchange

STARTED = 1_000.0


def ended(reply: Reply | None = None, mode: bytes = b"", **body: object) -> Exchange:
    """One that got so far, `reply` included."""
    headers = {b"x-tollway-mode": mode} if mode else {}
    one = exchange(body_of(**body), headers)
    one.asked = one.request = parse_chat(one.inbound.body)
    one.context = Contexts(PRESET).read(headers, one.inbound.path)
    one.caller, one.prepared = CALLER, one.request.body
    if reply:
        one.reply = reply
    return one


def told(one: Exchange, after_s: float = 0.123) -> ApiMetric:
    made = metric_of(one, STARTED + after_s)
    assert made is not None
    return made


def test_a_served_request() -> None:
    one = ended(Reply(candidate(), 200, TOLD, head_at=STARTED + 0.0456), b" Plan ", stream=True)
    one.client.status = 200
    one.caller = replace_fields(CALLER, organization_id="acme")
    tokens = Tokens(
        TOLD.usage.prompt_tokens,
        TOLD.usage.completion_tokens,
        TOLD.usage.cache_write_tokens,
        TOLD.usage.cached_tokens,
        TOLD.usage.prompt_tokens + TOLD.usage.completion_tokens,
    )
    assert told(one) == ApiMetric(
        user_id="user-1",
        is_anonymous=False,
        is_streaming=True,
        user_byok=False,
        provider="sim",
        requested_model="vendor/name",
        resolved_model="vendor/name",
        tools_available=(),
        tools_used=(),
        ttfb_ms=46,
        complete_request_ms=123,
        status_code=200,
        organization_id="acme",
        mode="Plan",
        inference_provider=TOLD.inference_provider or "",
        tokens=tokens,
    )


def test_nobody_signed_in() -> None:
    one = ended(Reply(candidate(), 200, TOLD))
    one.caller = ANONYMOUS
    made = told(one)
    assert (made.is_anonymous, made.user_id, made.organization_id) == (True, ANONYMOUS.user_id, None)
    assert made.user_id.startswith("anon:")


@pytest.mark.parametrize(
    ("upstream", "client", "status"), [(402, 503, 402), (503, 503, 503), (0, 502, 502), (200, 499, 200)]
)
def test_the_upstreams_status_comes_first(upstream: int, client: int, status: int) -> None:
    failure = None if upstream else Failure(FailureKind.CONNECT, "refused", may_have_billed=False)
    one = ended(Reply(candidate(), upstream, NO_FACTS, failure=failure))
    one.client.status = client
    assert told(one).status_code == status


def test_without_a_status_there_is_no_first_byte() -> None:
    one = ended(Reply(candidate(), 0, NO_FACTS, failure=Failure(FailureKind.TIMEOUT, "late", may_have_billed=True)))
    one.client.status = 504
    assert (told(one).ttfb_ms, told(one).complete_request_ms, told(one).tokens) == (123, 123, None)


def test_nothing_is_told_where_nothing_was_called_or_answered() -> None:
    assert metric_of(ended(), STARTED) is None
    gone = ended(Reply(candidate(), 0, NO_FACTS, abandoned=True))
    gone.client.gone = True
    assert metric_of(gone, STARTED) is None


@pytest.mark.parametrize("status", [200, 401])
@pytest.mark.parametrize(
    ("own", "byok"),
    [
        (None, False),
        (OwnRoute(Rule.OWN_KEYS, is_byok=True, bypasses_access_check=False), True),
        (OwnRoute(Rule.CUSTOM_UPSTREAM, is_byok=False, bypasses_access_check=False), False),
    ],
)
def test_whose_key_paid(own: OwnRoute | None, byok: bool, status: int) -> None:
    one = ended(Reply(candidate(), status, TOLD))
    one.own = own
    assert told(one).user_byok is byok


def test_a_clock_that_steps_back_makes_nothing_negative() -> None:
    one = ended(Reply(candidate(), 200, TOLD, head_at=STARTED - 1))
    made = told(one, -1)
    assert (made.ttfb_ms, made.complete_request_ms) == (0, 0)


def test_the_client_is_quoted_and_the_rest_resolved() -> None:
    one = ended(Reply(candidate(), 200, TOLD), model=" Kilo/AUTO ")
    one.request = replace(one.request, model="a/B:beta:free", auto_model="kilo/auto")
    assert (told(one).requested_model, told(one).resolved_model) == ("kilo/auto", "a/b")


def test_tools_are_those_after_repair() -> None:
    one = ended(Reply(candidate(), 200, TOLD))
    call = {"id": "1", "type": "function", "function": {"name": "read"}}
    one.prepared = {
        "tools": [{"type": "custom", "custom": {"name": "x"}}],
        "messages": [{"role": "assistant", "tool_calls": [call]}],
    }
    assert (told(one).tools_available, told(one).tools_used) == (("custom:x",), ("function:read",))


@pytest.mark.parametrize("usage", [None, Usage(0, 0, is_counted=False)])
def test_tokens_nobody_counted_are_absent(usage: Usage | None) -> None:
    assert told(ended(Reply(candidate(), 200, Answer(usage=usage)))).tokens is None
