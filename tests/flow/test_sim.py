"""The stand-in upstream over real sockets: what reaches the wire, and what its record says of it."""

import asyncio
import json
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import uvloop
from openai import AsyncOpenAI

from tollway.sim.control import Fault
from tollway.sim.faults import FAKE_ANSWER
from tollway.sim.options import SimOptions
from tollway.sim.record import AnswerRecord, RequestRecord, decode_records
from tollway.sim.server import RunningSim, start_sim

LOOPS = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}
DEADLINE_S = 20


def run(scenario: Callable[[], Awaitable[None]], loop: str = "uvloop") -> None:
    """Run a scenario on a loop of this kind; a hang is a failure."""

    async def bounded() -> None:
        async with asyncio.timeout(DEADLINE_S):
            await scenario()

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(bounded())


class Client:
    """A raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def ask(self, body: object = None, path: str = "/api/v1/chat/completions", key: str = "sk-test-12345") -> None:
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        method = "GET" if body is None else "POST"
        authorization = f"authorization: Bearer {key}\r\n" if key else ""
        head = f"{method} {path} HTTP/1.1\r\nhost: sim\r\nx-request-id: r-7\r\n{authorization}"
        self.writer.write(f"{head}content-length: {len(data)}\r\n\r\n".encode() + data)

    async def read_answer(self) -> tuple[int, dict[str, str], bytes]:
        """One well-framed answer."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        status = int(head[0].split(" ")[1])
        if "content-length" in headers:
            return status, headers, await self.reader.readexactly(int(headers["content-length"]))
        body = b""
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            body += await self.reader.readexactly(size)
            assert await self.reader.readexactly(2) == b"\r\n"
        assert await self.reader.readexactly(2) == b"\r\n"
        return status, headers, body

    async def read_json(self) -> tuple[int, dict[str, object]]:
        status, _, body = await self.read_answer()
        return status, json.loads(body)

    async def read_to_end(self) -> tuple[bytes, bool]:
        """All bytes until the connection ends, and whether it was reset."""
        data = b""
        try:
            while block := await self.reader.read(65_536):
                data += block
        except ConnectionResetError:
            return data, True
        return data, False

    async def close(self) -> None:
        self.writer.transport.abort()


@asynccontextmanager
async def connect(sim: RunningSim, context: ssl.SSLContext | None = None) -> AsyncIterator[Client]:
    client = Client(*await asyncio.open_connection("127.0.0.1", sim.port, ssl=context, limit=2**24))
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def started(options: SimOptions | None = None) -> AsyncIterator[RunningSim]:
    sim = await start_sim(options or SimOptions())
    try:
        yield sim
    finally:
        await sim.stop()


def chat(control: str = "", *, stream: bool = True, **more: object) -> dict[str, object]:
    model = f"sim/story@{control}" if control else "sim/story"
    messages = [{"role": "user", "content": "hello there"}]
    return {"model": model, "messages": messages, "stream": stream, "usage": {"include": True}, **more}


def events(body: bytes) -> list[dict[str, object]]:
    lines = [line.removeprefix(b"data: ") for line in body.split(b"\n") if line.startswith(b"data: ")]
    return [json.loads(line) for line in lines if line != b"[DONE]"]


def test_json_and_stream_say_the_same_and_are_recorded() -> None:
    async def scenario() -> None:
        async with started() as sim, connect(sim) as client:
            client.ask(chat(stream=False), path="/v1/chat/completions?a=b")
            status, whole = await client.read_json()
            client.ask(chat())
            _, headers, body = await client.read_answer()
            said = events(body)
            assert (status, headers["content-type"]) == (200, "text/event-stream")
            assert body.endswith(b"data: [DONE]\n\n")
            text = "".join(choice["delta"]["content"] for event in said for choice in event["choices"])  # type: ignore[attr-defined]
            assert text == whole["choices"][0]["message"]["content"]  # type: ignore[index]
            assert said[-1]["usage"] == whole["usage"]
            asked, answered = (await records_of(sim))[:2]
            assert isinstance(asked, RequestRecord)
            assert isinstance(answered, AnswerRecord)
            assert (asked.query, asked.x_request_id, asked.prompt_tokens) == ("a=b", "r-7", 3)
            assert ("authorization", "…2345") in asked.headers
            assert (answered.id, answered.ending, answered.completion_tokens) == (whole["id"], "complete", 24)
            assert answered.cost == "0.0000375"
            assert json.loads(answered.reported_usage or "") == whole["usage"]

    async def records_of(sim: RunningSim) -> list[object]:
        async with connect(sim) as client:
            client.ask(path="/api/v1/sim/record")
            _, _, body = await client.read_answer()
            return list(decode_records(body))

    run(scenario)


def test_pipelined_requests_are_answered_in_order() -> None:
    async def scenario() -> None:
        async with started() as sim, connect(sim) as client:
            client.ask(chat("delay_ms=1,chunks=2"))
            client.ask(path="/healthz")
            client.ask(chat("chunks=1", stream=False))
            assert len(events((await client.read_answer())[2])) == 5
            assert (await client.read_json())[1] == {"status": "ok"}
            assert (await client.read_json())[0] == 200

    run(scenario)


@pytest.mark.parametrize(
    ("body", "path", "key", "status"),
    [
        (None, "/nowhere", "k", 404),
        (None, "/v1/chat/completions", "k", 405),
        ({}, "/v1/models", "k", 405),
        (b"{", "/v1/chat/completions", "k", 400),
        (chat(), "/v1/chat/completions", "", 401),
        (chat("chunks=x"), "/v1/chat/completions", "k", 400),
        (chat("chunks=1000001", stream=False), "/v1/chat/completions", "k", 400),
        (chat("replay=none"), "/v1/chat/completions", "k", 400),
        (chat("status=503"), "/v1/chat/completions", "k", 503),
        (None, "/v1/generation?id=gen-none", "k", 404),
        (None, "/v1/generation?id=gen-none", "", 401),
    ],
)
def test_refusals_have_openrouters_shape(body: object, path: str, key: str, status: int) -> None:
    async def scenario() -> None:
        async with started() as sim, connect(sim) as client:
            client.ask(body, path, key)
            got, answer = await client.read_json()
            assert got == status
            assert answer["error"]["code"] == status  # type: ignore[index]

    run(scenario)


def test_keys() -> None:
    async def scenario() -> None:
        async with started(SimOptions(key="right")) as sim, connect(sim) as client:
            client.ask(chat(stream=False), key="wrong")
            assert (await client.read_json())[0] == 401
            client.ask(chat(stream=False), key="right")
            assert (await client.read_json())[0] == 200
            assert [record.ending for record in await sim.wait_for_answers(2)] == ["refused", "complete"]
        async with started(SimOptions(no_auth=True)) as sim, connect(sim) as client:
            client.ask(chat(stream=False), key="")
            assert (await client.read_json())[0] == 200

    run(scenario)


def test_what_is_too_big_or_no_http_is_refused() -> None:
    async def scenario() -> None:
        async with started() as sim:
            for junk, status in (
                (b"\x16\x03\x01 hello\r\n\r\n", b"400"),
                (b"GET /models HTTP/1.1\r\nx: " + b"x" * 70_000, b"431"),
                (b"GET /models HTTP/1.1\r\nx: " + b"x" * 70_000 + b"\r\n\r\n", b"431"),
                (b"GET /models HTTP/1.1\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n", b"200"),
            ):
                async with connect(sim) as client:
                    client.writer.write(junk)
                    assert (await client.read_to_end())[0].split(b" ", 2)[1] == status

    run(scenario)


def test_a_client_may_wait_for_continue() -> None:
    async def scenario() -> None:
        async with started() as sim, connect(sim) as client:
            client.writer.write(
                b"POST /v1/chat/completions HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n"
            )
            assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            client.writer.write(b"{}")
            assert (await client.read_json())[0] == 401

    run(scenario)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(
    ("fault", "tokens", "reset", "ends"),
    [
        (Fault.RESET, 2, True, b"\r\n"),
        (Fault.RESET_BEFORE, 0, True, b""),
        (Fault.CLOSE_BEFORE, 0, False, b""),
        (Fault.HALF_CLOSE, 2, False, b"\r\n"),
        (Fault.CUT, 2, False, b'{"id":"gen-'),
        (Fault.NOT_HTTP, 0, False, b"\r\n\r\n"),
        (Fault.SHORT_LENGTH, 24, False, b"[DONE]\n\n"),
    ],
)
def test_connections_that_break(fault: Fault, tokens: int, reset: bool, ends: bytes, loop: str) -> None:
    async def scenario() -> None:
        async with started() as sim, connect(sim) as client:
            client.ask(chat(f"fault={fault},at=2"))
            data, was_reset = await client.read_to_end()
            assert was_reset == reset
            assert data.endswith(ends) or (
                fault is Fault.CUT and data.rfind(b'data: {"id":"gen-') > data.rfind(b"\n\n")
            )
            assert b"0\r\n\r\n" not in data
            (answer,) = await sim.wait_for_answers()
            assert answer.completion_tokens == tokens
            assert answer.ending == ("complete" if fault is Fault.SHORT_LENGTH else fault)

    run(scenario, loop)


@pytest.mark.parametrize("fault", [Fault.STALL, Fault.STALL_HEADERS, Fault.HANG_AFTER_DONE])
def test_connections_that_hang(fault: Fault) -> None:
    async def scenario() -> None:
        async with started() as sim, connect(sim) as client:
            client.ask(chat(f"fault={fault},at=2"))
            (answer,) = await sim.wait_for_answers()
            if fault is Fault.HANG_AFTER_DONE:
                await client.reader.readuntil(b"[DONE]\n\n\r\n")
            elif fault is Fault.STALL:
                await client.reader.readuntil(b'"created"')
                assert answer.completion_tokens == 2
            assert not client.reader.at_eof()
            assert not client.reader._buffer.startswith(b"0")  # type: ignore[attr-defined]

    run(scenario)


def test_bytes_beyond_the_answer_wait_for_the_next_reader() -> None:
    async def scenario() -> None:
        async with started() as sim:
            for fault in (Fault.LONG_LENGTH, Fault.AFTER_DONE):
                async with connect(sim) as client:
                    client.ask(chat(f"fault={fault}"))
                    await client.read_answer()
                    assert await client.reader.readexactly(len(FAKE_ANSWER)) == FAKE_ANSWER
                    client.ask(path="/healthz")
                    assert (await client.read_json())[0] == 200

    run(scenario)


def test_faults_that_leave_the_connection_usable() -> None:
    faults = [
        Fault.END_EARLY,
        Fault.GARBAGE,
        Fault.BAD_JSON,
        Fault.LONG_LINE,
        Fault.ERROR_EVENT,
        Fault.BIG_HEADERS,
        Fault.EMPTY,
        Fault.NO_DONE,
        Fault.DRIP,
        Fault.REDIRECT,
    ]

    async def scenario() -> None:
        async with started() as sim, connect(sim) as client:
            for fault in faults:
                for stream in (True, False):
                    client.ask(chat(f"fault={fault},drip_ms=0,chunks=3", stream=stream))
                    status, _, body = await client.read_answer()
                    assert status == (302 if fault is Fault.REDIRECT else 200)
                    unfinished = fault in (Fault.END_EARLY, Fault.NO_DONE, Fault.REDIRECT) or not stream
                    assert body.endswith(b"data: [DONE]\n\n") != unfinished
            assert len(await sim.wait_for_answers(2 * len(faults))) == 2 * len(faults)

    run(scenario)


def test_broken_framing() -> None:
    async def scenario() -> None:
        async with started() as sim, connect(sim) as client:
            client.ask(chat("fault=bad_chunking"))
            await client.reader.readuntil(b"\r\nnot-a-size\r\n")
            await client.reader.readuntil(b"0\r\n\r\n")
            client.ask(chat("fault=both_lengths"))
            head = await client.reader.readuntil(b"\r\n\r\n")
            assert b"content-length" in head
            assert b"chunked" in head
            await client.reader.readuntil(b"0\r\n\r\n")
            client.ask(chat("fault=many_1xx"))
            for _ in range(1000):
                assert (await client.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 10")
            assert (await client.read_answer())[0] == 200

    run(scenario)


@pytest.mark.parametrize("stream", [True, False])
def test_an_endless_answer_stops_with_its_client(stream: bool) -> None:
    async def scenario() -> None:
        async with started() as sim:
            async with connect(sim) as client:
                client.ask(chat("fault=endless", stream=stream))
                await client.reader.readexactly(3_000_000)
                assert not [record for record in sim.records() if isinstance(record, AnswerRecord)]
            (answer,) = await sim.wait_for_answers()
            assert answer.ending == "client_gone"
            assert answer.completion_tokens > 1000 or not stream

    run(scenario)


def test_a_client_that_does_not_read_stops_generation() -> None:
    async def check_health(sim: RunningSim) -> None:
        async with connect(sim) as other:
            other.ask(path="/healthz")
            await other.read_answer()

    async def scenario() -> None:
        async with started() as sim:
            async with connect(sim) as client:
                client.writer.transport.pause_reading()  # type: ignore[attr-defined]
                client.ask(chat("fault=endless,tokens_per_chunk=1000"))
                await check_health(sim)
                connection = next(peer for peer in sim._connections if peer._number == 1)
                while not connection._player or not connection._player._paused:
                    await check_health(sim)
                sent = connection._player._turn.completion_tokens
                for _ in range(100):
                    await check_health(sim)
                assert connection._player._turn.completion_tokens == sent
            assert (await sim.wait_for_answers())[0].completion_tokens == sent

    run(scenario)


@pytest.mark.parametrize("split", ["bytes", "7", "1000000"])
def test_split_bytes_are_the_same_bytes(split: str) -> None:
    async def scenario() -> None:
        async with started() as sim, connect(sim) as client:
            client.ask(chat("chunks=3"))
            whole = events((await client.read_answer())[2])
            client.ask(chat(f"chunks=3,split={split}"))
            again = events((await client.read_answer())[2])
            assert [event["choices"] for event in again] == [event["choices"] for event in whole]

    run(scenario)


def test_failures_are_used_up() -> None:
    async def scenario() -> None:
        async with started() as sim, connect(sim) as client:
            statuses = []
            for _ in range(4):
                client.ask(chat(sim={"fail_first": 2, "key": "k", "status": 429, "headers": {"retry-after": "1"}}))
                statuses.append((await client.read_answer())[0])
            assert statuses == [429, 429, 200, 200]

    run(scenario)


def test_controls_from_a_header() -> None:
    async def scenario() -> None:
        async with started() as sim, connect(sim) as client:
            body = json.dumps(chat("chunks=9", stream=False)).encode()
            client.writer.write(
                b"POST /chat/completions HTTP/1.1\r\nauthorization: Bearer k\r\nx-sim: "
                b'{"chunks":2,"cost":1e400}\r\ncontent-length: %d\r\n\r\n%s' % (len(body), body)
            )
            _, _, answer = await client.read_answer()
            assert b'"completion_tokens":2,' in answer
            assert b'"cost":1e400,' in answer

    run(scenario)


def test_generations_are_looked_up() -> None:
    async def scenario() -> None:
        async with started() as sim, connect(sim) as client:
            client.ask(chat("fault=reset,at=2"))
            await client.read_to_end()
            (answer,) = await sim.wait_for_answers()
            async with connect(sim) as other:
                other.ask(path=f"/api/v1/generation?id={answer.id}")
                status, found = await other.read_json()
            assert status == 200
            data = found["data"]
            assert (data["id"], data["native_tokens_completion"], data["is_byok"]) == (answer.id, 2, False)  # type: ignore[index]
            assert data["total_cost"] == float(answer.cost)  # type: ignore[index]

    run(scenario)


def test_a_recorded_answer_is_replayed(tmp_path: Path) -> None:
    async def scenario() -> None:
        (tmp_path / "old-1.http").write_bytes(b"HTTP/1.1 200 OK\r\n\r\nverbatim \xff")
        async with started(SimOptions(replay_dir=tmp_path)) as sim, connect(sim) as client:
            client.ask(chat("replay=old-1"))
            assert await client.read_to_end() == (b"HTTP/1.1 200 OK\r\n\r\nverbatim \xff", False)

    run(scenario)


@pytest.mark.parametrize("loop", LOOPS)
def test_tls(tmp_path: Path, loop: str) -> None:
    async def scenario() -> None:
        async with started(SimOptions(tls=True, certificate_dir=tmp_path)) as sim:
            context = ssl.create_default_context(cafile=sim.certificate_authority)
            async with connect(sim, context) as client:
                client.ask(chat())
                assert len(events((await client.read_answer())[2])) == 27
                client.ask(chat("fault=reset,at=2"))
                data, reset = await client.read_to_end()
                assert reset
                assert data.count(b"data: ") == 3
            async with connect(sim, context) as client:
                client.ask(chat("fault=half_close,at=2"))
                assert (await client.read_to_end())[0].count(b"data: ") == 3

    run(scenario, loop)


def test_the_official_client() -> None:
    async def scenario() -> None:
        tools = [{"type": "function", "function": {"name": "weather", "parameters": {"properties": {"city": {}}}}}]
        messages = [{"role": "user", "content": "What is the weather?"}]
        async with started() as sim, AsyncOpenAI(base_url=sim.base_url, api_key="sk-x", max_retries=0) as client:
            assert "sim/echo" in [model.id async for model in client.models.list()]
            async with client.chat.completions.stream(
                model="sim/toolsmith", messages=messages, tools=tools, stream_options={"include_usage": True}
            ) as stream:
                final = await stream.get_final_completion()
            call = final.choices[0].message.tool_calls[0]
            assert json.loads(call.function.arguments) == {"city": "stand-in"}
            assert final.choices[0].finish_reason == "tool_calls"
            assert final.usage
            assert final.usage.completion_tokens > 0
            reply = {"role": "tool", "tool_call_id": call.id, "content": "rain"}
            echoed = [*messages, final.choices[0].message.model_dump(exclude_none=True, exclude={"parsed"}), reply]
            answer = await client.chat.completions.create(model="sim/toolsmith", messages=echoed, tools=tools)
            assert answer.choices[0].message.content == 'The tool answered: "rain"'

    run(scenario)


class Program:
    """The stand-in as a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process, self.port = process, port

    async def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return await self.process.wait()


@asynccontextmanager
async def program(*options: str) -> AsyncIterator[Program]:
    source = str(Path(__file__).parents[2] / "src")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tollway.sim", "--listen", "127.0.0.1:0", *options),
        env={**os.environ, "PYTHONPATH": source},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    try:
        line = (await process.stdout.readline()).decode()
        assert line.startswith("listening on http://127.0.0.1:")
        yield Program(process, int(line.rsplit(":", 1)[1]))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    async def scenario() -> None:
        path = tmp_path / "record.jsonl"
        async with program("--record", str(path), "--record-sync") as first:
            client = Client(*await asyncio.open_connection("127.0.0.1", first.port))
            client.ask(chat("chunks=3"))
            (*_, last) = events((await client.read_answer())[2])
            client.ask(chat("fault=stall"))
            await client.reader.readuntil(b"\r\n\r\n")
            assert await first.end(signal.SIGKILL) == -signal.SIGKILL
            await client.close()
        kept = [record for record in decode_records(path.read_bytes()) if isinstance(record, AnswerRecord)]
        assert (kept[0].id, kept[0].completion_tokens) == (last["id"], 3)
        with path.open("ab") as file:
            file.write(b'{"kind":"answer","id":"to')
        async with program("--record", str(path)) as second:
            client = Client(*await asyncio.open_connection("127.0.0.1", second.port))
            client.ask(path=f"/v1/generation?id={last['id']}")
            assert (await client.read_json())[0] == 200
            client.ask(chat(stream=False))
            assert (await client.read_json())[0] == 200
            assert await second.end(signal.SIGTERM) == 0
            await client.close()
        records = decode_records(path.read_bytes())
        assert sum(isinstance(record, AnswerRecord) for record in records) == len(kept) + 1

    run(scenario, "asyncio")


def test_stopping_drops_streams_and_says_so() -> None:
    async def scenario() -> None:
        options = replace(SimOptions(), port=0)
        async with started(options) as sim, connect(sim) as client:
            client.ask(chat("delay_ms=60000"))
            await client.reader.readuntil(b"\r\n\r\n")
            await sim.stop()
            assert [record.ending for record in await sim.wait_for_answers()] == ["stopped"]

    run(scenario)
