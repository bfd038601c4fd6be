"""Prompts, answers and keys leave no trace: every ending of a request, then a search through every byte there is.

An abuse service is asked about each of them: it is told no text (guarantee P1), and what it says back is repeated
nowhere. Where an operator has requests kept, they are in the database and nowhere else.
"""

import http.client
import json
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import pytest

from flow.accounts import Accounts
from flow.programs import Gateway, Sim, settings_for
from flow.usage_rows import usage_of
from servers.abuse import AbuseService, verdict

PROMPT = "canary-prompt-7f3a9b"
ANSWER = "canaryanswer7f3a9b"
UPSTREAM_KEY = "sk-canary-upstream-7f3a9b"
METADATA = "canary-metadata-7f3a9b"
ABUSE_SECRET = "canary-abuse-secret-7f3a9b"
TYPO = "tw_live_canary7f3a9bcanary7f3a9bcanary7f3a9b"
FOREIGN = "sk-canary-foreign-7f3a9bcanary"
CANARIES = (PROMPT, ANSWER, UPSTREAM_KEY, METADATA, ABUSE_SECRET, TYPO, FOREIGN)
TOP = """
log_level = "debug"

[retries]
count_max = 1
backoff_s = 0.01

[timeouts]
silence_s = 1
"""


class World:
    """A gateway and a stand-in of their own, and everything the gateway has said to anybody."""

    def __init__(self, folder: Path, top: str = "") -> None:
        self.folder = folder / "gateway"
        self.sim = Sim(folder / "sim")
        self.abuse = AbuseService()
        self.abuse.say(ECHO)
        known = f'abuse.base_url = "{self.abuse.url}"\nabuse.client_id = "a"\nabuse.client_secret = "{ABUSE_SECRET}"'
        top = "\n".join((top, known, TOP))
        settings = settings_for(self.folder, self.sim.url, top=top).replace("sk-fake-upstream-key", UPSTREAM_KEY)
        self.gateway = Gateway(self.folder, settings)
        self.accounts = Accounts(self.gateway.config)
        self.account = self.accounts.create()
        self.errors: list[bytes] = []

    def close(self) -> None:
        self.gateway.stop()
        self.sim.stop()
        self.abuse.close()

    def body(self, **fields: object) -> bytes:
        said = {"role": "user", "content": PROMPT}
        tool = {"type": "function", "function": {"name": "x", "description": PROMPT}}
        request = {"model": "sim/echo", "messages": [said], "tools": [tool], "metadata": {"a": METADATA}, **fields}
        return json.dumps(request).encode()

    def ask(self, body: bytes, key: str = "", prefix: str = "/v1") -> int:
        """The status; an error's body and all headers are kept for the search."""
        connection = http.client.HTTPConnection(self.gateway.host, self.gateway.port, timeout=20)
        headers = {"Authorization": f"Bearer {key or self.account.key}", "Content-Type": "application/json"}
        try:
            connection.request("POST", f"{prefix}/chat/completions", body, headers)
            answer = connection.getresponse()
            said = answer.read()
        finally:
            connection.close()
        self.errors.append(str(answer.getheaders()).encode())
        if answer.status != 200:
            self.errors.append(said)
        return answer.status

    def leave(self, body: bytes, after_bytes: int) -> None:
        """Send a request and reset the connection once so much of the answer has come."""
        with socket.create_connection((self.gateway.host, self.gateway.port), timeout=20) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.account.key}\r\n"
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            taken = 0
            while taken < after_bytes:
                taken += len(connection.recv(4_096))

    def metrics(self) -> bytes:
        connection = http.client.HTTPConnection(self.gateway.host, self.gateway.port, timeout=20)
        try:
            connection.request("GET", "/metrics")
            return connection.getresponse().read()
        finally:
            connection.close()

    def traces(self) -> Iterator[tuple[str, bytes]]:
        """Everything the gateway leaves behind, by name."""
        yield "output", "\n".join(self.gateway.lines).encode()
        yield "errors", b"\n".join(self.errors)
        yield "questions", b"\n".join(sent.text for sent in (*self.abuse.classified.queue, *self.abuse.reported.queue))
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and path != self.gateway.config:
                yield path.name, path.read_bytes()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("privacy"))
    yield world
    world.close()


def sim(**controls: object) -> dict[str, object]:
    return {"sim": controls}


CALL = {"id": "c1", "type": "function", "function": {"name": "x", "arguments": PROMPT}}
BROKEN_TOOLS = [
    {"role": "assistant", "content": PROMPT, "tool_calls": [CALL, CALL]},
    {"role": "user", "content": PROMPT},
    {"role": "tool", "tool_call_id": "c2", "content": PROMPT},
]
# The service says back what it was never told; an upstream may have told it.
ECHO = verdict(signals=[PROMPT], context={"identity_key": f"{PROMPT} {ANSWER}"}, error=PROMPT)
ERROR_BODY = json.dumps({"error": {"message": f"your key {UPSTREAM_KEY} is wrong", "stack": PROMPT}})
ENDINGS: dict[str, Callable[[World], object]] = {
    "success": lambda world: world.ask(world.body()),
    "stream": lambda world: world.ask(world.body(stream=True)),
    "answer": lambda world: world.ask(world.body(model="sim/story", **sim(text=ANSWER))),
    "tool call": lambda world: world.ask(world.body(model="sim/toolsmith", stream=True)),
    "repaired tools": lambda world: world.ask(world.body(messages=BROKEN_TOOLS)),
    "not JSON": lambda world: world.ask(b'{"model":"sim/echo","messages":"' + PROMPT.encode()),
    "doubled name": lambda world: world.ask(b'{"model":"sim/echo","user":"%b","user":"b"}' % PROMPT.encode()),
    "too long": lambda world: world.ask(world.body(stop=[PROMPT] * 17)),
    "no model": lambda world: world.ask(world.body(model="")),
    "unknown model": lambda world: world.ask(world.body(model="sim/nothing")),
    "impossible tokens": lambda world: world.ask(world.body(max_tokens=10**11)),
    "mistyped key": lambda world: world.ask(world.body(), TYPO),
    "foreign key": lambda world: world.ask(world.body(), FOREIGN),
    "historic error": lambda world: world.ask(world.body(), TYPO, "/api/openrouter"),
    "no credits": lambda world: world.ask(world.body(), world.accounts.create(0).key),
    "unreachable": lambda world: world.ask(world.body(model="dead/model")),
    "upstream 401": lambda world: world.ask(world.body(**sim(status=401, error_body=ERROR_BODY))),
    "upstream 400": lambda world: world.ask(world.body(**sim(status=400, error_body=ERROR_BODY))),
    "upstream 500": lambda world: world.ask(world.body(**sim(status=500, error_body=ERROR_BODY))),
    "bad control": lambda world: world.ask(world.body(**sim(chunks=PROMPT))),
    "broken answer": lambda world: world.ask(world.body(**sim(fault="bad_json"))),
    "broken stream": lambda world: world.ask(world.body(stream=True, **sim(fault="reset", at=1))),
    "garbage stream": lambda world: world.ask(world.body(stream=True, **sim(fault="garbage"))),
    "silent stream": lambda world: world.ask(world.body(stream=True, **sim(fault="stall", at=0))),
    "abuse service fails": lambda world: (
        world.abuse.say(PROMPT.encode(), 500),
        world.ask(world.body()),
        world.abuse.say(ECHO),
    ),
    "left before the answer": lambda world: world.leave(world.body(**sim(first_delay_ms=300)), 0),
    "left in a stream": lambda world: world.leave(
        world.body(model="sim/story", stream=True, **sim(chunks=50, delay_ms=10, text=ANSWER)), 500
    ),
}


def _found(world: World) -> list[tuple[str, str]]:
    keys = {"the key": world.account.key, **{canary: canary for canary in CANARIES}}
    return [
        (name, what)
        for name, trace in world.traces()
        for what, canary in keys.items()
        for form in (canary.encode(), canary.encode("utf-16-le"), canary.encode().hex().encode())
        if form in trace
    ]


def test_no_ending_leaves_a_trace(world: World) -> None:
    for end in ENDINGS.values():
        end(world)
    world.errors.append(world.metrics())
    deadline = monotonic() + 60
    while "tollway_drains 0.0" not in world.metrics().decode():  # what was left is read to its end in the background
        assert monotonic() < deadline
    assert len(usage_of(world.accounts, world.account)) >= 5
    assert _found(world) == []  # while it runs: the database with its log
    assert world.gateway.stop() == 0
    names = [name for name, _ in world.traces()]
    assert "tollway.db" in names
    assert sum('"event":"request"' in line for line in world.gateway.lines) >= len(ENDINGS)
    assert world.abuse.classified.qsize() >= 15
    assert world.abuse.reported.qsize() >= 3
    assert _found(world) == []  # and all that it says until its end
    assert world.accounts.differences() == ()


def test_the_search_finds_what_is_there(world: World) -> None:
    """The stand-in does keep what it was sent; a search that misses it there would prove nothing."""
    (world.folder / "planted").write_bytes(b"x" + PROMPT.encode() + b"y")
    assert _found(world) == [("planted", PROMPT)]
    (world.folder / "planted").unlink()


@pytest.fixture
def keeping(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, 'request_log.email_suffixes = ["@example.com"]')
    yield world
    world.close()


def test_what_is_kept_is_kept_in_one_place(keeping: World) -> None:
    """Where the operator wants it: prompts and answers are in the database, keys nowhere, and nothing anywhere else."""
    world = keeping
    for name in ("answer", "tool call", "left in a stream", "broken stream", "unreachable"):
        ENDINGS[name](world)
    world.errors.append(world.metrics())
    assert world.gateway.stop() == 0
    found = _found(world)
    assert {what for _, what in found} >= {PROMPT, ANSWER}
    assert {what for _, what in found} <= {PROMPT, ANSWER, METADATA}
    assert {name.removesuffix("-wal") for name, _ in found} == {"tollway.db"}
