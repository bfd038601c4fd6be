"""What passes through a stream: every byte in order, at the client's pace, and signs of life between events only."""

import re
import urllib.request
from collections.abc import Iterator
from json import dumps, loads
from pathlib import Path

import pytest

from flow.accounts import Account, Accounts
from flow.conversation import Conversation, ask, chat, wait_for_end
from flow.programs import Gateway, Sim
from flow.quick import gauge, quick_settings

PAGE_BYTES = 4_096
GROWTH_BYTES_MAX = 24 * 1024 * 1024
_CHANGING = re.compile(rb'"id":"gen-[^"]*"|"created":\d+')


@pytest.mark.parametrize(
    "control",
    [
        {},
        {"split": 7},
        {"line_end": "crlf", "split": 5},
        {"line_end": "cr"},
        {"bom": True, "comments": True},
        {"fault": "garbage"},
        {"fault": "bad_json"},
        {"chunks": 500, "tokens_per_chunk": 3},
        {"text": "tab\there, line\u2028end, \u0085 and \u000b: data: [DONE] \U0001f600"},
    ],
    ids=str,
)
def test_bytes_pass_as_they_are(gateway: Gateway, account: Account, sim: Sim, control: dict[str, object]) -> None:
    body = chat("sim/story", True, control)
    answer = ask(gateway, account, body)
    assert answer.status == 200
    assert _CHANGING.sub(b"", answer.body) == _CHANGING.sub(b"", ask_directly(sim, body))


def test_a_slow_client_slows_the_upstream_down(gateway: Gateway, accounts: Accounts, account: Account) -> None:
    """While nobody reads, an endless answer takes neither memory here nor does it go on there."""
    other = accounts.create()
    with Conversation(gateway, receive_bytes=4_096) as conversation:
        conversation.ask(account, chat("sim/story", True, {"fault": "endless", "tokens_per_chunk": 50}))
        conversation.read_until(b"data: ", 3)
        assert ask(gateway, other, chat()).status == 200
        before = memory_of(gateway)
        for _ in range(30):
            assert ask(gateway, other, chat("sim/story", True)).is_done
        assert memory_of(gateway) - before < GROWTH_BYTES_MAX
        assert gauge(gateway, "tollway_in_flight") == 1
        more = conversation.read_until(b"data: ", 2_000)
        assert b"keeper" in more
    assert wait_for_end(gateway, account)["client_gone"]  # read on for its usage, within bounds of bytes and time


def test_a_client_that_reads_late_gets_everything(
    gateway: Gateway, accounts: Accounts, account: Account, sim: Sim
) -> None:
    body = chat("sim/story", True, {"chunks": 30_000, "tokens_per_chunk": 20, "seed": 7})
    with Conversation(gateway, receive_bytes=4_096) as conversation:
        conversation.ask(account, body)
        conversation.read_until(b"data: ", 3)
        for _ in range(5):
            assert ask(gateway, accounts.create(), chat()).status == 200
        answer = conversation.read_answer()
    assert answer.is_done
    assert _CHANGING.sub(b"", answer.body) == _CHANGING.sub(b"", ask_directly(sim, body))
    assert loads(answer.data[-2])["usage"]["completion_tokens"] == 600_000


@pytest.fixture(scope="module")
def lively(tmp_path_factory: pytest.TempPathFactory, sim: Sim) -> Iterator[Gateway]:
    """A gateway that comforts its clients twice a second."""
    folder: Path = tmp_path_factory.mktemp("lively")
    times = {"comment_s": 0.5, "stream_s": 30, "silence_s": 10, "first_event_s": 10}
    program = Gateway(folder, quick_settings(folder, sim.url, timeouts=times))
    yield program
    program.stop()


COMMENT = b": keep-alive\n\n"


@pytest.mark.parametrize(
    ("control", "comforted"),
    [
        ({"chunks": 3, "delay_ms": 1_200}, True),
        ({"chunks": 3, "first_event_delay_ms": 1_500}, True),
        ({"chunks": 2, "delay_ms": 800, "line_end": "cr"}, True),
        ({"chunks": 3, "fault": "drip", "at": 2, "drip_ms": 4}, False),  # an event takes 1.2 s, byte by byte
    ],
    ids=str,
)
def test_comments_come_between_events_only(
    lively: Gateway, sim: Sim, control: dict[str, object], comforted: bool
) -> None:
    account = Accounts(lively.config).create()
    body = chat("sim/story", True, control)
    answer = ask(lively, account, body)
    assert answer.is_done
    assert (COMMENT in answer.body) == comforted
    assert _CHANGING.sub(b"", answer.body.replace(COMMENT, b"")) == _CHANGING.sub(b"", ask_directly(sim, body))


def test_a_comment_before_the_first_event_begins_the_stream(lively: Gateway) -> None:
    """From there on a failure is an error event: the status has been said."""
    account = Accounts(lively.config).create()
    with Conversation(lively) as conversation:
        conversation.ask(account, chat("sim/story", True, {"first_event_delay_ms": 12_000}))
        assert conversation.read_until(COMMENT).startswith(b"HTTP/1.1 200 ")
        answer = conversation.read_answer()
    assert [error["code"] for error in answer.errors] == ["upstream_timeout"]


def ask_directly(sim: Sim, body: dict[str, object]) -> bytes:
    """The same request to the stand-in itself."""
    head = {"Authorization": "Bearer sk-direct", "Content-Type": "application/json"}
    data = dumps({**body, "stream_options": {"include_usage": True}}).encode()
    request = urllib.request.Request(f"{sim.url}/v1/chat/completions", data, head)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return bytes(answer.read())


def memory_of(gateway: Gateway) -> int:
    """Bytes resident in the gateway's processes."""
    return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES for pid in family(gateway.pid))


def family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in family(int(child)))]
