import asyncio

import pytest
from msgspec.structs import replace

from tollway.gateway.closers import keep_transcript
from tollway.gateway.exchange import Exchange
from tollway.gateway.reply import Reply
from tollway.gateway.transcripts import Copy, Transcript, Transcripts
from tollway.gateway.upstream_port import Failure, FailureKind
from tollway.settings import RequestLogSettings
from unit.gateway.closers.test_settle_funds import TOLD, served
from unit.gateway.fakes import NOW, candidate, exchange, services
from unit.gateway.test_transcripts import Store

BROKEN = Failure(FailureKind.BROKEN, "reset", True)


def copied(response: bytes) -> Copy:
    copy = Copy(b'{"model":"x"}', 100)
    copy.take(response)
    return copy


def keep(reply: Reply | None) -> list[Transcript]:
    """What is written then."""
    return kept_of(exchange() if reply is None else served(reply))


def kept_of(one: Exchange) -> list[Transcript]:
    store = Store()
    transcripts = Transcripts(RequestLogSettings(), store)
    keep_transcript.run(one, services(transcripts=transcripts))
    asyncio.run(transcripts.flush())
    return store.taken


@pytest.mark.parametrize("status", [200, 402, 500])
def test_a_request_and_its_answer(status: int) -> None:
    (kept,) = keep(Reply(candidate(), status, TOLD, copy=copied(b"hello")))
    assert (kept.id, kept.at, kept.user_id, kept.organization_id) == ("request-1", NOW, "user-1", None)
    assert (kept.provider_id, kept.model, kept.status) == ("sim", "vendor/name", status)
    assert (kept.request, kept.response) == (b'{"model":"x"}', b"hello")


def test_one_that_broke_off_is_kept_as_far_as_it_came() -> None:
    assert keep(Reply(candidate(), 200, TOLD, failure=BROKEN, copy=copied(b"hel")))[0].response == b"hel"


@pytest.mark.parametrize(
    "reply", [None, Reply(candidate(), 200, TOLD), Reply(candidate(), 204, TOLD, copy=copied(b""))]
)
def test_nothing_is_kept_without_a_copy_or_a_body(reply: Reply | None) -> None:
    assert keep(reply) == []


def test_where_nobody_keeps_any_nothing_happens() -> None:
    keep_transcript.run(served(Reply(candidate(), 200, TOLD)), services())


def test_the_model_is_the_one_that_was_meant() -> None:
    one = served(Reply(candidate(), 200, TOLD, copy=copied(b"x")))
    one.request = replace(one.request, model="Vendor/N\0ame", auto_model="house/auto")
    assert kept_of(one)[0].model == "vendor/name"
