"""What is sent to an abuse service, and what counts as an answer of it."""

import asyncio

import pytest

from tollway.gateway.abuse_checks import NoAnswer
from tollway.settings import AbuseSettings, SettingsError
from tollway.upstream.abuse_service import BODY_BYTES_MAX, HttpAbuseService
from tollway.upstream.client import HttpUpstreams
from unit.upstream.scripted import LOOPS, Serve, Upstream, run, upstream


def leading_to(up: Upstream, secret: str | None = "s3cret", answer_s: float = 5) -> HttpAbuseService:
    client = HttpUpstreams(up.deadlines, up.limits, up.timeouts)
    url = f"http://127.0.0.1:{up.origin.port}/base/"
    return HttpAbuseService(client, AbuseSettings(base_url=url, client_id="ann", answer_s=answer_s), secret)


def answering(answer: bytes, seen: list[bytes]) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            seen.append(await reader.readuntil(b"\r\n\r\n"))
            assert await reader.readexactly(2) == b"{}"
            writer.write(answer)
            await writer.drain()

    return serve


def whole(status: int, body: bytes, *lines: str) -> bytes:
    more = "".join(f"{line}\r\n" for line in lines)
    return f"HTTP/1.1 {status} X\r\n{more}Content-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("secret", ["s3cret", None])
def test_what_is_sent(loop: str, secret: str | None) -> None:
    """Over one connection; who we are is said with both parts of it, or not at all."""
    seen: list[bytes] = []

    async def scenario() -> None:
        async with upstream(answering(whole(200, b"{}"), seen)) as up:
            service = leading_to(up, secret)
            assert await service.classify(b"{}") == b"{}"
            assert await service.report_cost(b"{}") == b"{}"

    run(scenario(), loop)
    first, second = (one.decode().split("\r\n") for one in seen)
    assert first[0] == "POST /base/api/classify HTTP/1.1"
    assert second[0] == "POST /base/api/usage/cost HTTP/1.1"
    assert first[1:] == second[1:]
    assert "Content-Type: application/json" in first
    known = [line for line in first if line.startswith("CF-")]
    assert known == (["CF-Access-Client-Id: ann", "CF-Access-Client-Secret: s3cret"] if secret else [])


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (whole(500, b"{}"), "status"),
        (whole(302, b"", "Location: http://127.0.0.1:9/"), "status"),
        (b"nonsense\r\n\r\n", "broken"),
        (whole(200, bytes(BODY_BYTES_MAX + 1)), "too_large"),
    ],
)
def test_what_is_no_answer(answer: bytes, kind: str) -> None:
    async def scenario() -> None:
        async with upstream(answering(answer, [])) as up:
            said = await leading_to(up).classify(b"{}")
            assert isinstance(said, NoAnswer)
            assert said.kind == kind

    run(scenario())


def test_who_says_nothing_is_not_waited_for() -> None:
    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async def scenario() -> None:
        async with upstream(silent) as up:
            said = await leading_to(up, answer_s=0.01).classify(b"{}")
            assert said == NoAnswer("timeout", "no answer within 0.01 s")

    run(scenario())


@pytest.mark.parametrize("url", ["abuse.example", "ftp://x", "http://a@b", "http://x:99999999"])
def test_an_address_that_is_none(url: str) -> None:
    async def scenario() -> None:
        async with upstream(answering(b"", [])) as up:
            client = HttpUpstreams(up.deadlines, up.limits, up.timeouts)
            with pytest.raises(SettingsError, match=r"abuse\.base_url"):
                HttpAbuseService(client, AbuseSettings(base_url=url), None)

    run(scenario())
