"""Endpoints: any base path, the right method, a key where one is needed."""

import asyncio
from urllib.parse import quote

import pytest
from msgspec.json import decode, encode

from tollway.sim.chat import Chat
from tollway.sim.inbound import Inbound
from tollway.sim.options import SimOptions
from tollway.sim.record import LookupRecord, RequestRecord
from tollway.sim.recorder import Recorder
from tollway.sim.service import Service
from tollway.sim.steps import Leave

KEY = ("Authorization", "Bearer sk-12345")


def make_service(options: SimOptions) -> Service:
    async def make() -> Service:
        return Service(options, Recorder(None, asyncio.get_running_loop(), lambda error: None))

    return asyncio.run(make())


def status(service: Service, method: str, path: str, *headers: tuple[str, str], body: bytes = b"") -> int:
    reply = service.serve(Inbound(method, path, "id=x", list(headers), body, 1, True))
    assert not isinstance(reply, Leave)
    return reply.turn.status if isinstance(reply, Chat) else int(reply.split(b" ")[1])


@pytest.mark.parametrize("base", ["", "/v1", "/api/v1", "/a/b/c"])
def test_any_base_path(base: str) -> None:
    service = make_service(SimOptions())
    assert status(service, "GET", f"{base}/models") == 200
    assert status(service, "GET", f"{base}/healthz") == 200
    assert status(service, "GET", f"{base}/sim/record") == 200
    assert status(service, "GET", f"{base}/generation", KEY) == 404
    assert status(service, "POST", f"{base}/chat/completions", KEY, body=b'{"model":"m","messages":[]}') == 200
    assert status(service, "POST", f"{base}/models") == 405
    assert status(service, "GET", f"{base}/other") == 404


@pytest.mark.parametrize(
    ("options", "header", "expected"),
    [
        (SimOptions(), "", 401),
        (SimOptions(), "Basic eA==", 401),
        (SimOptions(), "Bearer ", 401),
        (SimOptions(), "bearer any", 200),
        (SimOptions(key="é"), "Bearer any", 401),
        (SimOptions(key="right"), "Bearer right", 200),
        (SimOptions(no_auth=True), "", 200),
    ],
)
def test_keys(options: SimOptions, header: str, expected: int) -> None:
    service = make_service(options)
    body = b'{"model":"m","messages":[]}'
    assert status(service, "POST", "/chat/completions", ("authorization", header), body=body) == expected
    (record,) = service.recorder.records()
    assert isinstance(record, RequestRecord)
    assert record.model == ("m" if expected == 200 else "")


def test_only_so_many_failures() -> None:
    service = make_service(SimOptions(no_auth=True))
    body = b'{"model":"m@fail_first=1,status=500","messages":[]}'
    assert [status(service, "POST", "/chat/completions", body=body) for _ in range(3)] == [500, 200, 200]


def test_look_ups_are_told_what_was_asked_for_and_then_the_truth() -> None:
    """Each is in the record, those with a bad key and about unknown answers as well."""
    service = make_service(SimOptions())

    def look(id_: str, *headers: tuple[str, str]) -> int:
        reply = service.serve(Inbound("GET", "/v1/generation", f"id={id_}", list(headers), b"", 1, True))
        if isinstance(reply, bytes):
            return int(reply.split(b" ")[1])
        assert reply is Leave.RESET
        return 0

    body = b'{"model":"sim/story@lookups=[404],chunks=1","messages":[],"sim":{"lookups":[404,503,"reset"]}}'
    chat = service.serve(Inbound("POST", "/chat/completions", "", [KEY], body, 1, True))
    assert isinstance(chat, Chat)
    id_ = chat.turn.id
    service.recorder.add(chat.turn.end("complete", 1.0))
    statuses = [look(id_), *(look(id_, KEY) for _ in range(5)), look("x", KEY)]
    assert statuses == [401, 404, 503, 0, 200, 200, 404]
    kept = [one for one in service.recorder.records() if isinstance(one, LookupRecord)]
    assert [(one.id, one.status) for one in kept] == list(zip([id_] * 6 + ["x"], statuses, strict=True))
    assert {one.query for one in kept} == {f"id={id_}", "id=x"}


@pytest.mark.parametrize("id_", ["a/b?c", "é", "x" * 200])
def test_an_answer_of_a_chosen_id(id_: str) -> None:
    service = make_service(SimOptions(no_auth=True))
    body = encode({"model": "sim/story", "messages": [], "sim": {"id": id_}})
    chat = service.serve(Inbound("POST", "/chat/completions", "", [], body, 1, True))
    assert isinstance(chat, Chat)
    assert chat.turn.draft
    assert (chat.turn.id, chat.turn.draft.id) == (id_, id_)
    (record,) = service.recorder.records()
    assert record.id == id_
    service.recorder.add(chat.turn.end("complete", 1.0))
    query = f"id={quote(id_, safe='')}"
    reply = service.serve(Inbound("GET", "/v1/generation", query, [], b"", 1, True))
    assert isinstance(reply, bytes)
    assert decode(reply.partition(b"\r\n\r\n")[2])["data"]["id"] == id_


@pytest.mark.parametrize("id_", ['""', "7", "null", f'"{"x" * 201}"'])
def test_odd_ids_are_refused(id_: str) -> None:
    body = b'{"model":"m","messages":[],"sim":{"id":%b}}' % id_.encode()
    assert status(make_service(SimOptions()), "POST", "/chat/completions", KEY, body=body) == 400


@pytest.mark.parametrize("lookups", ["404", "[200]", "[600]", "[404.5]", '["404"]', '["close"]', str([404] * 101)])
def test_odd_look_ups_are_refused(lookups: str) -> None:
    body = b'{"model":"m","messages":[],"sim":{"lookups":%b}}' % lookups.encode()
    assert status(make_service(SimOptions()), "POST", "/chat/completions", KEY, body=body) == 400
