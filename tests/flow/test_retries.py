"""What is tried again, how often, where, and that only the attempt that succeeded is paid for."""

import json
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from time import monotonic

import pytest

from flow.accounts import Account, Accounts
from flow.conversation import ask, chat
from flow.programs import Gateway, Sim, settings_for
from flow.quick import aftermath, gauge, held_by, quick_settings
from flow.usage_rows import attempts_at
from tollway.routing.fallback import RETRYABLE_STATUSES

REFUSALS = [400, 401, 402, 403, 404, 405, 406, 409, 410, 413, 415, 418, 422, 426, 431, 451, 501, 505, 507, 520, 599]


@pytest.mark.parametrize("status", REFUSALS)
def test_what_is_never_tried_again(
    quick: Gateway, quick_accounts: Accounts, quick_account: Account, sim: Sim, status: int
) -> None:
    answer = ask(quick, quick_account, chat(sim={"status": status}))
    assert answer.status == (503 if status == 402 else status)
    after = aftermath(quick_accounts, quick_account, sim, answer.request_id)
    assert (len(after.attempts), after.spent, after.held) == (1, 0, 0)
    assert after.row
    assert (after.row.basis, after.row.absorbed) == ("absorbed", 0)


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("status", sorted(RETRYABLE_STATUSES))
def test_what_is_tried_twice_more(
    quick: Gateway, quick_accounts: Accounts, quick_account: Account, sim: Sim, status: int, stream: bool
) -> None:
    answer = ask(quick, quick_account, chat(stream=stream, sim={"status": status}))
    assert answer.status == status
    assert ("retry-after" in answer.headers) == (status in (429, 503))
    after = aftermath(quick_accounts, quick_account, sim, answer.request_id)
    assert (len(after.attempts), after.spent, after.held) == (3, 0, 0)
    assert [one["x_request_id"] for one in after.attempts] == [f"{answer.request_id}-{n}" for n in (1, 2, 3)]


@pytest.mark.parametrize("failures", [1, 2])
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_a_failed_attempt_is_not_paid_for(
    quick: Gateway, quick_accounts: Accounts, quick_account: Account, sim: Sim, failures: int, stream: bool
) -> None:
    key = f"{failures}{stream}{quick_account.user_id}"
    answer = ask(quick, quick_account, chat(stream=stream, sim={"status": 503, "fail_first": failures, "key": key}))
    assert answer.status == 200
    after = aftermath(quick_accounts, quick_account, sim, answer.request_id)
    assert [one["status"] for one in after.attempts] == [503] * failures + [200]
    assert after.spent == after.generated > 0
    assert after.held == 0


def test_sent_and_never_answered_is_tried_once_more(
    quick: Gateway, quick_accounts: Accounts, quick_account: Account, sim: Sim
) -> None:
    for fault in ("reset_before", "close_before"):
        control = {"fault": fault, "fail_first": 1, "key": fault + quick_account.user_id}
        answer = ask(quick, quick_account, chat(sim=control))
        assert answer.status == 200
        assert [one["ending"] for one in attempts_at(sim, answer.request_id)] == [fault, "complete"]
    assert held_by(quick_accounts, quick_account) == 0


def test_an_answer_that_broke_is_not_asked_for_again(quick: Gateway, quick_account: Account, sim: Sim) -> None:
    for stream in (True, False):
        control = {"fault": "reset", "fail_first": 1, "key": f"{stream}{quick_account.user_id}"}
        answer = ask(quick, quick_account, chat(stream=stream, sim=control))
        assert len(attempts_at(sim, answer.request_id)) == 1


@pytest.mark.parametrize(
    ("value", "at_least", "attempts"),
    [("1", 1, 2), ("0", 0, 2), ("11", 0, 1), ("99999999999999999999", 0, 1), ("soon", 0, 2), ("-1", 0, 2)],
)
def test_retry_after(
    quick: Gateway, quick_account: Account, sim: Sim, value: str, at_least: float, attempts: int
) -> None:
    control = {"status": 429, "fail_first": 1, "key": value + quick_account.user_id, "headers": {"Retry-After": value}}
    begun = monotonic()
    answer = ask(quick, quick_account, chat(sim=control))
    assert at_least <= monotonic() - begun < 8
    assert len(attempts_at(sim, answer.request_id)) == attempts
    assert answer.status == (200 if attempts == 2 else 429)
    if value == "11":
        assert answer.headers["retry-after"] == "11"


def test_retry_after_as_a_date_counts_from_the_answers_own(quick: Gateway, quick_account: Account, sim: Sim) -> None:
    now = 1_000_000_000
    dates = {"Date": formatdate(now, usegmt=True), "Retry-After": formatdate(now + 3_600, usegmt=True)}
    answer = ask(quick, quick_account, chat(sim={"status": 503, "headers": dates}))
    assert answer.headers["retry-after"] == "3600"
    assert len(attempts_at(sim, answer.request_id)) == 1


def test_another_provider_serves_what_the_first_cannot(
    quick: Gateway, quick_accounts: Accounts, quick_account: Account, sim: Sim
) -> None:
    """`two/story` is served by a provider that refuses connections and by one that works, at another price."""
    answer = ask(quick, quick_account, chat("two/story"))
    assert answer.status == 200
    after = aftermath(quick_accounts, quick_account, sim, answer.request_id)
    prompt, completion = after.tokens
    assert after.spent == 2 * prompt + 8 * completion
    assert [one["x_request_id"] for one in after.attempts] == [f"{answer.request_id}-2"]
    assert json.loads(answer.body)["usage"]["completion_tokens"] == completion


def test_a_refused_connection_holds_nothing(quick: Gateway, quick_accounts: Accounts, quick_account: Account) -> None:
    answer = ask(quick, quick_account, chat("dead/model"), "/api/gateway/chat/completions")
    assert (answer.status, answer.json["error"]) == (502, "Bad Gateway")
    assert quick_accounts.balance(quick_account) == 10_000_000
    assert held_by(quick_accounts, quick_account) == 0


@pytest.fixture
def own_sim(tmp_path: Path) -> Iterator[Sim]:
    program = Sim(tmp_path / "sim")
    yield program
    program.stop()


def test_a_restarted_upstream_costs_nobody_an_error(tmp_path: Path, own_sim: Sim) -> None:
    """Kept connections are dead afterwards; requests go over new ones."""
    folder = tmp_path / "gateway"
    folder.mkdir()
    gateway = Gateway(folder, quick_settings(folder, own_sim.url))
    accounts = Accounts(gateway.config)
    account = accounts.create()
    try:
        for _ in range(3):
            assert ask(gateway, account, chat()).status == 200
            port = own_sim.url.rpartition(":")[2]
            own_sim.kill()
            revived = Sim(tmp_path / "again", "--listen", f"127.0.0.1:{port}")
            try:
                answers = [ask(gateway, account, chat()) for _ in range(3)]
                assert [answer.status for answer in answers] == [200] * 3
            finally:
                revived.kill()
            own_sim = Sim(tmp_path / "sim", "--listen", f"127.0.0.1:{port}")
    finally:
        own_sim.kill()
        gateway.stop()
    assert accounts.differences() == ()
    assert held_by(accounts, account) == 0


def test_in_an_outage_retries_are_a_small_share(tmp_path: Path, sim: Sim) -> None:
    """The budget: three in ten seconds, or a fifth of the first attempts."""
    settings = settings_for(tmp_path, sim.url, top="[retries]\nbackoff_s = 0.01\nbudget_min = 3\nbudget_share = 0.2")
    gateway = Gateway(tmp_path, settings)
    accounts = Accounts(gateway.config)
    account = accounts.create()
    try:
        begun = monotonic()
        answers = [ask(gateway, account, chat(sim={"status": 500})) for _ in range(30)]
        windows = 1 + int(monotonic() - begun) // 10
        assert {answer.status for answer in answers} == {500}
        attempts = sum(len(attempts_at(sim, answer.request_id)) for answer in answers)
        assert 30 + 3 <= attempts <= 30 + 7 * windows
        assert gauge(gateway, "tollway_in_flight") == 0
    finally:
        gateway.stop()


def test_retries_can_be_turned_off(tmp_path: Path, sim: Sim) -> None:
    gateway = Gateway(tmp_path, settings_for(tmp_path, sim.url, top="[retries]\ncount_max = 0"))
    accounts = Accounts(gateway.config)
    account = accounts.create()
    try:
        for control in ({"status": 503}, {"fault": "close_before"}):
            answer = ask(gateway, account, chat(sim=control))
            assert len(attempts_at(sim, answer.request_id)) == 1
    finally:
        gateway.stop()
