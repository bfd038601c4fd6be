"""A client that leaves pays for what was generated, no more and no less, wherever in its answer it leaves."""

from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import pytest

from flow.accounts import Account, Accounts
from flow.conversation import PROMPT, Conversation, ask, chat, wait_for_end
from flow.programs import Gateway, Sim
from flow.quick import aftermath, gauge, quick_settings

CHUNKS = 50
PLACES = range(CHUNKS + 1)
ESTIMATED_PROMPT = (len(PROMPT) + len("user")) // 8
PATIENCE_S = 20


@pytest.fixture(autouse=True)
def nothing_is_left_open(quick: Gateway) -> Iterator[None]:
    yield
    wait_until(lambda: gauge(quick, "tollway_in_flight") == 0)
    assert gauge(quick, "tollway_drains") == 0


@pytest.mark.parametrize("place", PLACES)
def test_read_to_the_end_for_one_who_left(
    quick: Gateway, quick_accounts: Accounts, quick_account: Account, sim: Sim, place: int
) -> None:
    line = leave_at(quick, quick_account, chat("sim/story", True, {"chunks": CHUNKS, "delay_ms": 5}), place)
    after = aftermath(quick_accounts, quick_account, sim, line["request_id"])
    assert [(one["ending"], one["completion_tokens"]) for one in after.attempts] == [("complete", CHUNKS)]
    assert after.row
    assert (after.row.basis, after.spent, after.held) == ("reported", after.generated, 0)


@pytest.mark.parametrize("place", PLACES)
def test_broken_off_where_that_stops_the_bill(
    quick: Gateway, quick_accounts: Accounts, quick_account: Account, sim: Sim, place: int
) -> None:
    line = leave_at(quick, quick_account, chat("abort/story", True, {"chunks": CHUNKS, "delay_ms": 5}), place)
    wait_until(lambda: bool(aftermath(quick_accounts, quick_account, sim, line["request_id"]).attempts))
    after = aftermath(quick_accounts, quick_account, sim, line["request_id"])
    assert line["client_gone"] or place == CHUNKS  # all of it may be over before the leaving is heard of
    assert after.row
    arrived = after.row.completion_tokens
    assert place <= arrived <= after.tokens[1] <= CHUNKS
    assert after.held == 0
    if arrived == 0:
        assert (after.row.basis, after.spent) == ("absorbed", 0)
    elif arrived < CHUNKS:
        assert (after.row.basis, after.spent) == ("interrupted", 2 * ESTIMATED_PROMPT + 8 * arrived)
        # near its end all of it may have been on its way when the upstream was left
        assert after.attempts[0]["ending"] == "client_gone" or place >= CHUNKS - 2
        assert after.spent <= 2 * after.tokens[0] + 8 * after.tokens[1]


def test_a_running_usage_is_the_charge(
    quick: Gateway, quick_accounts: Accounts, quick_account: Account, sim: Sim
) -> None:
    body = chat("abort/story", True, {"chunks": CHUNKS, "delay_ms": 5, "usage": "every"})
    line = leave_at(quick, quick_account, body, 10)
    wait_until(lambda: bool(aftermath(quick_accounts, quick_account, sim, line["request_id"]).attempts))
    after = aftermath(quick_accounts, quick_account, sim, line["request_id"])
    assert after.row
    assert after.row.basis == "interrupted"
    assert 10 <= after.row.completion_tokens <= after.tokens[1]
    assert after.spent == 2 * after.tokens[0] + 8 * after.row.completion_tokens


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_leaving_before_there_is_an_answer(
    quick: Gateway, quick_accounts: Accounts, quick_account: Account, sim: Sim, stream: bool
) -> None:
    line = leave_waiting(quick, quick_account, sim, chat("sim/story", stream, {"first_delay_ms": 800, "chunks": 10}))
    after = aftermath(quick_accounts, quick_account, sim, line["request_id"])
    assert (line["status"], line["client_gone"]) == (499, True)
    assert after.row
    assert (after.row.basis, after.spent, after.held) == ("reported", after.generated, 0)
    assert after.generated > 0


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_leaving_before_there_is_an_answer_stops_the_bill(
    quick: Gateway, quick_accounts: Accounts, quick_account: Account, sim: Sim, stream: bool
) -> None:
    line = leave_waiting(quick, quick_account, sim, chat("abort/story", stream, {"first_delay_ms": 2_000}))
    wait_until(lambda: bool(aftermath(quick_accounts, quick_account, sim, line["request_id"]).attempts))
    after = aftermath(quick_accounts, quick_account, sim, line["request_id"])
    assert after.attempts[0]["ending"] == "client_gone"
    assert after.row
    assert (after.row.basis, after.row.absorbed, after.spent, after.held) == ("absorbed", 0, 0, 0)


def test_reading_on_has_an_end(quick: Gateway, quick_accounts: Accounts, quick_account: Account, sim: Sim) -> None:
    begun = monotonic()
    line = leave_at(quick, quick_account, chat("plain/story", True, {"fault": "endless", "delay_ms": 20}), 3)
    assert monotonic() - begun < 8  # drain_s is 3
    wait_until(lambda: bool(aftermath(quick_accounts, quick_account, sim, line["request_id"]).attempts))
    after = aftermath(quick_accounts, quick_account, sim, line["request_id"])
    assert after.attempts[0]["ending"] == "client_gone"
    assert after.row
    assert after.row.basis == "interrupted"
    assert after.spent == 2 * ESTIMATED_PROMPT + 8 * after.row.completion_tokens
    assert 3 <= after.row.completion_tokens <= after.tokens[1]


def test_an_upstream_that_falls_silent_is_not_read_for_ever(
    quick: Gateway, quick_accounts: Accounts, quick_account: Account, sim: Sim
) -> None:
    line = leave_at(quick, quick_account, chat("plain/story", True, {"fault": "stall", "at": 5}), 5)
    after = aftermath(quick_accounts, quick_account, sim, line["request_id"])
    assert after.row
    assert (after.row.basis, after.row.completion_tokens, after.held) == ("interrupted", 5, 0)


def test_beyond_the_bound_an_answer_is_broken_off_and_estimated(tmp_path: Path, sim: Sim) -> None:
    gateway = Gateway(tmp_path, quick_settings(tmp_path, sim.url, "[limits]\ndrains = 1"))
    accounts = Accounts(gateway.config)
    first, second = accounts.create(), accounts.create()
    slow = chat("plain/story", True, {"chunks": 40, "delay_ms": 50})
    try:
        with Conversation(gateway) as one, Conversation(gateway) as other:
            one.ask(first, slow)
            other.ask(second, slow)
            one.read_until(b"data: ", 3)
            other.read_until(b"data: ", 3)
            one.leave()
            wait_until(lambda: gauge(gateway, "tollway_drains") == 1)
            other.leave()
            broken = wait_for_end(gateway, second)
        drained = wait_for_end(gateway, first)
        kept = aftermath(accounts, first, sim, drained["request_id"])
        assert kept.row
        assert (kept.row.basis, kept.row.completion_tokens) == ("reported", 40)
        wait_until(lambda: bool(aftermath(accounts, second, sim, broken["request_id"]).attempts))
        left = aftermath(accounts, second, sim, broken["request_id"])
        assert left.row
        assert left.row.basis == "interrupted"
        assert 2 <= left.row.completion_tokens <= left.tokens[1] < 40
        assert (kept.held, left.held) == (0, 0)
        assert gauge(gateway, "tollway_drains") == 0
    finally:
        gateway.stop()
    assert accounts.differences() == ()


def test_those_who_stay_are_served_as_ever(quick: Gateway, quick_account: Account) -> None:
    assert ask(quick, quick_account, chat("sim/story", True)).is_done


def leave_at(gateway: Gateway, account: Account, body: dict[str, object], deltas: int) -> dict[str, object]:
    """Ask, leave after so many pieces of output, and wait for the end of the request."""
    with Conversation(gateway) as conversation:
        conversation.ask(account, body)
        conversation.read_until(b"data: ", deltas + 1)  # the first event carries the role only
    return wait_for_end(gateway, account)


def leave_waiting(gateway: Gateway, account: Account, sim: Sim, body: dict[str, object]) -> dict[str, object]:
    """Ask, leave when the stand-in has the request, and wait for the end of the request."""
    known = len(sim.records())
    with Conversation(gateway) as conversation:
        conversation.ask(account, body)
        wait_until(lambda: any(record["kind"] == "request" for record in sim.records()[known:]))
    return wait_for_end(gateway, account)


def wait_until(holds: Callable[[], bool]) -> None:
    """Ask a program again and again."""
    give_up_at = monotonic() + PATIENCE_S
    while not holds():
        assert monotonic() < give_up_at
