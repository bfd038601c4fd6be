"""Guarantees §4, the client's rows, with time-outs of half a second: a silent peer, and one that drips."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from flow.accounts import Account, Accounts
from flow.conversation import wait_for_end
from flow.programs import Gateway, Sim
from flow.quick import quick_settings
from flow.raw import CHAT, STORY, Raw, get, request
from flow.usage_rows import attempts_at
from flow.workers import resident_bytes, workers_of

TIMEOUTS = {
    "first_byte_s": 0.5,
    "headers_s": 0.5,
    "body_s": 1.5,
    "body_grace_s": 0.5,
    "keep_alive_s": 0.5,
    "client_stall_s": 1,
    "stream_headers_s": 30,
    "first_event_s": 30,
    "silence_s": 30,
    "stream_s": 60,
}
GOOD = get("/healthz")
HEAD = b"POST %b HTTP/1.1\r\nHost: gateway\r\n" % CHAT
DRIP_S = 0.1
MANY = 10  # `test_backpressure.py` has more, and other kinds


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory, sim: Sim) -> Iterator[Gateway]:
    folder: Path = tmp_path_factory.mktemp("hasty")
    program = Gateway(folder, quick_settings(folder, sim.url, timeouts=TIMEOUTS))
    yield program
    assert program.stop() == 0


@pytest.fixture(scope="module")
def hasty_accounts(hasty: Gateway) -> Accounts:
    return Accounts(hasty.config)


@pytest.fixture
def hasty_account(hasty_accounts: Accounts) -> Iterator[Account]:
    yield hasty_accounts.create()
    assert hasty_accounts.differences() == ()


def _times_out(connection: Raw) -> None:
    answer = connection.read()
    assert (answer.status, answer.code) == (408, "request_timeout")
    assert answer.headers["connection"] == "close"
    assert connection.rest() == b""


def test_a_connection_that_says_nothing(hasty: Gateway) -> None:
    with Raw(hasty) as connection:
        assert connection.rest() == b""


def test_a_connection_that_drips_blank_lines(hasty: Gateway) -> None:
    with Raw(hasty) as connection:
        connection.drip(b"\r\n" * 100, DRIP_S)
        assert connection.rest() == b""


def test_a_head_that_stops(hasty: Gateway) -> None:
    with Raw(hasty) as connection:
        _times_out(connection.send(HEAD))


def test_a_head_that_drips(hasty: Gateway) -> None:
    with Raw(hasty) as connection:
        connection.drip(HEAD + b"X-A: b\r\n" * 100, DRIP_S)
        _times_out(connection)


def test_a_second_head_that_drips(hasty: Gateway) -> None:
    with Raw(hasty) as connection:
        assert connection.send(GOOD).read().status == 200
        connection.drip(HEAD + b"X-A: b\r\n" * 100, DRIP_S)
        _times_out(connection)


@pytest.mark.parametrize("path", [CHAT, b"/v1/models"], ids=["hot", "other"])
def test_a_body_that_stops(hasty: Gateway, path: bytes) -> None:
    with Raw(hasty) as connection:
        _times_out(connection.send(request(b"a" * 1_000, path)[:-990]))


@pytest.mark.parametrize("framing", [b"Content-Length: 100000", b"Transfer-Encoding: chunked"])
def test_a_body_that_drips(hasty: Gateway, framing: bytes) -> None:
    with Raw(hasty) as connection:
        connection.send(HEAD + framing + b"\r\n\r\n")
        connection.drip(b"1\r\na\r\n" * 100, DRIP_S)
        _times_out(connection)


def test_a_body_that_comes_fast_enough_but_never_ends(hasty: Gateway) -> None:
    with Raw(hasty) as connection:
        connection.send(HEAD + b"Content-Length: 10000000\r\n\r\n")
        connection.drip(b"a" * 4_000_000, DRIP_S, size=40_000)
        _times_out(connection)


def test_a_time_out_costs_nothing(hasty: Gateway, hasty_accounts: Accounts, hasty_account: Account) -> None:
    with Raw(hasty) as connection:
        _times_out(connection.send(request(STORY, headers=hasty_account.headers)[:-1]))
    assert hasty_accounts.balance(hasty_account) == 10_000_000


def test_a_connection_that_is_idle(hasty: Gateway, hasty_account: Account) -> None:
    for raw in (GOOD, request(STORY, headers=hasty_account.headers)):
        with Raw(hasty) as connection:
            assert connection.send(raw).read().status == 200
            assert connection.rest() == b""


def test_an_answer_may_take_longer_than_all_that(hasty: Gateway, hasty_account: Account) -> None:
    body = {**STORY, "sim": {"first_delay_ms": 2_000}}
    with Raw(hasty) as connection:
        assert connection.send(request(body, headers=hasty_account.headers)).read().status == 200
        assert connection.send(GOOD).read().status == 200


def _endless(account: Account, model: str) -> bytes:
    sim = {"fault": "endless", "tokens_per_chunk": 4_000}
    return request({**STORY, "model": model, "stream": True, "sim": sim}, headers=account.headers)


def test_a_client_that_never_reads_is_dropped_and_so_is_its_upstream(
    hasty: Gateway, sim: Sim, hasty_account: Account
) -> None:
    with Raw(hasty, receive_bytes=4_096) as connection:
        connection.send(_endless(hasty_account, "abort/story"))
        line = wait_for_end(hasty, hasty_account)
        assert line["client_gone"]
        assert attempts_at(sim, line["request_id"])[-1]["ending"] == "client_gone"


def test_a_client_that_drips_its_reading_is_kept(hasty: Gateway, hasty_account: Account) -> None:
    sim = {"chunks": 2_000, "tokens_per_chunk": 400}
    raw = request({**STORY, "model": "sim/story", "stream": True, "sim": sim}, headers=hasty_account.headers)
    with Raw(hasty, receive_bytes=4_096) as connection:
        connection.send(raw)
        connection.sip(4_096, DRIP_S, times=30)  # three times as long as a client may take nothing
        assert connection.read().body.endswith(b"data: [DONE]\n\n")


def test_memory_stays_flat_while_many_never_read(hasty: Gateway, hasty_account: Account) -> None:
    (worker,) = workers_of(hasty)
    before = resident_bytes(worker)
    with ExitStack() as stack:
        for _ in range(MANY):
            connection = stack.enter_context(Raw(hasty, receive_bytes=4_096))
            connection.send(_endless(hasty_account, "abort/story"))
        most = 0
        for _ in range(MANY):
            line = wait_for_end(hasty, hasty_account)
            assert line["client_gone"], str(line)
            most = max(most, resident_bytes(worker))
    assert most - before < MANY * 262_144


def test_beside_many_that_stall_a_normal_client_is_served(hasty: Gateway, hasty_account: Account) -> None:
    starts = [b"", HEAD, HEAD + b"Content-Length: 10\r\n\r\n{", GOOD]
    with ExitStack() as stack:
        stalling = [stack.enter_context(Raw(hasty)).send(start) for start in starts for _ in range(50)]
        with Raw(hasty) as connection:
            for _ in range(20):
                assert connection.send(request(STORY, headers=hasty_account.headers)).read().status == 200
        ends = [one.rest().count(b"HTTP/1.1 408 ") for one in stalling]
    assert ends == [0] * 50 + [1] * 100 + [0] * 50
