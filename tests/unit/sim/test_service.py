"""Endpoints: any base path, the right method, a key where one is needed."""

import asyncio

import pytest

from tollway.sim.chat import Chat
from tollway.sim.inbound import Inbound
from tollway.sim.options import SimOptions
from tollway.sim.record import RequestRecord
from tollway.sim.recorder import Recorder
from tollway.sim.service import Service

KEY = ("Authorization", "Bearer sk-12345")


def make_service(options: SimOptions) -> Service:
    async def make() -> Service:
        return Service(options, Recorder(None, asyncio.get_running_loop(), lambda error: None))

    return asyncio.run(make())


def status(service: Service, method: str, path: str, *headers: tuple[str, str], body: bytes = b"") -> int:
    reply = service.serve(Inbound(method, path, "id=x", list(headers), body, 1, True))
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
