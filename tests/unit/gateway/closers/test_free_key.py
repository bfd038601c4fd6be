import asyncio

import pytest
from structlog.testing import capture_logs

from tollway.gateway.closers import free_key
from tollway.gateway.exchange import Exchange
from tollway.gateway.reply import NO_FACTS, Reply
from tollway.gateway.upstream_port import Failure, FailureKind
from unit.gateway.fakes import FakeClaims, candidate, exchange, services, settled

UNSENT = Failure(FailureKind.CONNECT, "refused", False)
BROKEN = Failure(FailureKind.BROKEN, "reset", True)


def claimed(key: str, reply: Reply | None) -> tuple[Exchange, FakeClaims]:
    one, claims = exchange(), FakeClaims()
    claims.claimed = {("scope", "key"): one.id, ("scope", "other"): "request-2"}
    one.claim = key
    if reply:
        one.reply = reply
    return one, claims


@pytest.mark.parametrize(
    ("reply", "is_free"),
    [
        pytest.param(None, True, id="refused"),
        pytest.param(Reply(candidate(), 0, NO_FACTS, failure=UNSENT), True, id="never sent"),
        pytest.param(Reply(candidate(), 0, NO_FACTS, failure=BROKEN), False, id="no answer"),
        pytest.param(Reply(candidate(), 0, NO_FACTS, abandoned=True), False, id="nobody waits for it any more"),
        pytest.param(Reply(candidate(), 500, NO_FACTS), False, id="an error"),
        pytest.param(Reply(candidate(), 200, NO_FACTS), False, id="an answer"),
    ],
)
def test_a_key_is_free_again_unless_an_upstream_has_seen_the_request(reply: Reply | None, is_free: bool) -> None:
    one, claims = claimed("key", reply)
    asyncio.run(settled(free_key.run(one, services(claims=claims))))
    assert (("scope", "key") not in claims.claimed) is is_free
    assert claims.claimed["scope", "other"] == "request-2"


def test_without_a_key_nobody_is_asked() -> None:
    for one in (exchange(), claimed("", None)[0]):
        assert free_key.run(one, services(claims=FakeClaims(away=True))) is None


def test_a_key_that_cannot_be_freed_stays_taken_and_that_is_said() -> None:
    one, claims = claimed("key", None)
    claims.away = True
    with capture_logs() as lines:
        asyncio.run(settled(free_key.run(one, services(claims=claims))))
    assert [(line["event"], line["request_id"]) for line in lines] == [("idempotency_key_kept", "request-1")]
    assert claims.claimed["scope", "key"] == one.id
