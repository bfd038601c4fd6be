"""Clients that never read leave memory flat, whatever is done to their streams on the way (guarantees S1)."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from json import dumps
from pathlib import Path
from threading import Event

import pytest

from flow.accounts import Account, Accounts
from flow.conversation import Conversation
from flow.llms import give_llm, member_of_new_organization
from flow.patience import until_still
from flow.programs import Gateway, settings_for
from flow.reckoning import PLENTY
from flow.scale import scaled
from flow.test_streams import GROWTH_BYTES_MAX, memory_of
from tollway.admin.llm_records import LlmFields
from vectors.scripted import RESET, STREAM_HEAD, Piece, ScriptedUpstream, chunk

KEPT_BYTES_MAX = 256 * 1024  # of each stream
SAID_BYTES_MAX = 8_000_000  # to each client: far more than all buffers between it and the upstream
# Else the system keeps megabytes at both sides of each of 500 streams, which is more than it has for sockets.
SEND_BUFFER_BYTES = 65_536
SEGMENT_BYTES = 1_460  # as over a network
HOSTED = "house/story"
PRESET = f"""
[free]
hosted_count = 10000

[[hosted_models]]
public_id = "{HOSTED}"
internal_id = "sim/story"
gateway = "sim"
context_length = 100000
completion_tokens_max = 1000
"""
TOP = """
preset = "{folder}/preset.toml"
limits.in_flight_per_account = 1000
limits.in_flight_per_key = 1000
timeouts.client_stall_s = 600
custom_upstreams.allowed_private_endpoints = ["{url}"]
"""
CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
TEXT = "x" * 4_000
CHAT_DATA = dumps(
    {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": TEXT}}]}, separators=(",", ":")
)
CHAT_EVENT = f"data: {CHAT_DATA}\n\n".encode()


def typed(**members: object) -> bytes:
    """An event that says its type."""
    return f"event: {members['type']}\ndata: {dumps(members)}\n\n".encode()


@dataclass(frozen=True)
class Kind:
    """What is done to a stream. Its upstream says `first`, then `event` for ever; the client is shown `shown`.
    `is_repeated`: the last event has to say all of it again."""

    model: str
    event: bytes
    first: bytes = b""
    path: str = CHAT
    shown: bytes = b'"content":"xxx'
    clients: int = scaled(6, 500)
    is_repeated: bool = False

    @property
    def body(self) -> dict[str, object]:
        asked = {"input": "hi"} if self.path == RESPONSES else {"messages": [{"role": "user", "content": "hi"}]}
        return {"model": self.model, "max_tokens": 500, "stream": True, **asked}


KINDS = {
    "as it is": Kind("sim/story", CHAT_EVENT, clients=scaled(30, 500)),
    "rewritten": Kind(HOSTED, CHAT_EVENT, shown=f'"model":"{HOSTED}"'.encode()),
    "from messages": Kind(
        "acme/anthropic",
        typed(type="content_block_delta", index=0, delta={"type": "text_delta", "text": TEXT}),
        typed(type="message_start", message={"id": "m", "usage": {"input_tokens": 1, "output_tokens": 1}})
        + typed(type="content_block_start", index=0, content_block={"type": "text", "text": ""}),
    ),
    "from responses": Kind(
        "acme/openai",
        typed(type="response.output_text.delta", item_id="i", output_index=0, delta=TEXT),
        typed(type="response.created", response={"id": "r"})
        + typed(type="response.output_item.added", output_index=0, item={"type": "message", "id": "i"}),
    ),
    "to messages": Kind("sim/story", CHAT_EVENT, path=MESSAGES, shown=b'"text_delta","text":"xxx'),
    "to responses": Kind("sim/story", CHAT_EVENT, path=RESPONSES, shown=b'"delta":"xxx', is_repeated=True),
}


class World:
    """A gateway whose upstream says what a test tells it to, an account, and a member with custom LLMs."""

    def __init__(self, folder: Path) -> None:
        self.upstream = ScriptedUpstream(SEND_BUFFER_BYTES)
        (folder / "preset.toml").write_text(PRESET)
        top = TOP.format(folder=folder, url=self.upstream.url)
        self.gateway = Gateway(folder, settings_for(folder, self.upstream.url, top=top))
        self.accounts = Accounts(self.gateway.config)
        self.account = self.accounts.create(PLENTY)
        self.member = member_of_new_organization(self.accounts)
        for vendor in ("anthropic", "openai"):
            fields = LlmFields(vendor, vendor, f"{self.upstream.url}/v1", "some-model")
            give_llm(self.accounts, self.gateway.config, self.member.organization_id, f"acme/{vendor}", fields)
        self.memory_bytes = memory_of(self.gateway)  # before anybody came

    def caller(self, kind: Kind) -> Account:
        return self.member if kind.model.startswith("acme/") else self.account

    def stop(self) -> None:
        assert self.gateway.stop() == 0
        self.upstream.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("backpressure"))
    yield made
    made.stop()


def endless(kind: Kind, over: Event) -> Iterator[Piece]:
    yield STREAM_HEAD
    yield chunk(kind.first + kind.event)
    while not over.is_set():
        yield chunk(kind.event)
    yield RESET


@pytest.mark.parametrize("name", KINDS)
def test_clients_that_never_read_leave_memory_flat(world: World, name: str) -> None:
    kind, over, gateway, upstream = KINDS[name], Event(), world.gateway, world.upstream
    said_before, most = upstream.said_bytes, 0

    def look() -> int:
        nonlocal most
        most = max(most, memory_of(gateway) - world.memory_bytes)
        said = upstream.said_bytes - said_before
        assert said < kind.clients * SAID_BYTES_MAX
        return said

    with ExitStack() as stack:
        stack.callback(over.set)  # also when it fails
        for _ in range(kind.clients):
            upstream.say_all(endless(kind, over))
            conversation = stack.enter_context(Conversation(gateway, 4_096, SEGMENT_BYTES))
            conversation.ask(world.caller(kind), kind.body, kind.path)
            assert kind.shown in conversation.read_until(b"data: ", 4)
        said = until_still(look)
        over.set()
    per_stream = f"{most / kind.clients / 1024:.0f} KiB of memory and {said / kind.clients / 1024:.0f} KiB said"
    print(f"\n{name}: {kind.clients} clients, for each {per_stream}")  # noqa: T201  (the campaign's result)
    assert most < kind.clients * KEPT_BYTES_MAX + GROWTH_BYTES_MAX + (said if kind.is_repeated else 0)
