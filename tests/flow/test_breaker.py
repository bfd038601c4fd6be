"""A stand-in that fails is left alone, for the model that fails, until one attempt finds it well again."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from flow.accounts import Account, Accounts
from flow.conversation import Answer, Conversation, ask, chat
from flow.patience import until
from flow.programs import Gateway, Sim, settings_for
from flow.quick import gauge

FAILURES = 4
TOP = """
retries.count_max = 0
breaker.open_s = {open_s}
breaker.calls_min = 0
breaker.failures_in_a_row = {failures}
"""
OPEN_S = 2
TRIAL_MS = 1_000  # well within OPEN_S, and much longer than it takes to ask as MANY
MANY = 12


@pytest.fixture
def fragile(request: pytest.FixtureRequest, tmp_path: Path, sim: Sim) -> Iterator[Gateway]:
    settings = settings_for(
        tmp_path, sim.url, top=TOP.format(open_s=request.param, failures=FAILURES), is_patient=False
    )
    program = Gateway(tmp_path, settings)
    yield program
    program.stop()


def statuses(gateway: Gateway, account: Account, count: int, status: int = 0, model: str = "sim/story") -> list[int]:
    body = chat(model, sim={"status": status} if status else {})
    return [ask(gateway, account, body).status for _ in range(count)]


def ask_at_once(gateway: Gateway, account: Account, stream: bool, **sim: object) -> list[Answer]:
    """MANY requests, none of which waits for another's answer; if one is let through, the others come meanwhile."""
    body = chat("sim/story", stream, {"first_delay_ms": TRIAL_MS, **sim})
    with ExitStack() as stack:
        conversations = [stack.enter_context(Conversation(gateway)) for _ in range(MANY)]
        for one in conversations:
            one.ask(account, body)
        return [one.read_answer() for one in conversations]


def the_trial(gateway: Gateway, account: Account, upstream: Sim, stream: bool, **sim: object) -> int:
    """Asks until one is let through; the status of that one. All others are refused, and not seen by the upstream."""

    def look() -> list[int]:
        before = upstream.requests()
        answers = ask_at_once(gateway, account, stream, **sim)
        tried = [one.status for one in answers if not is_left_alone(one)]
        assert upstream.requests() - before == len(tried)
        return tried

    (status,) = until(look)
    return status


def is_left_alone(answer: Answer) -> bool:
    if answer.status != 503:
        return False
    assert answer.json["error"]["code"] == "upstream_unavailable"
    assert 1 <= int(answer.headers["retry-after"]) <= OPEN_S
    return True


@pytest.mark.parametrize("fragile", [600], indirect=True)
def test_who_keeps_failing_is_asked_no_more(fragile: Gateway, sim: Sim) -> None:
    accounts = Accounts(fragile.config)
    account = accounts.create()
    assert statuses(fragile, account, 3 * FAILURES, 400) == [400] * 3 * FAILURES  # the caller's own doing
    assert statuses(fragile, account, FAILURES, 500) == [500] * FAILURES
    asked = len(sim.records())
    answer = ask(fragile, account, chat())
    assert (answer.status, answer.json["error"]["code"]) == (503, "upstream_unavailable")
    assert 590 <= int(answer.headers["retry-after"]) <= 600
    assert len(sim.records()) == asked
    assert gauge(fragile, "tollway_open_breakers") == 1
    assert statuses(fragile, account, 1, model="sim/echo") == [200]  # another model is another matter
    assert accounts.balance(account) < 10_000_000
    assert accounts.differences() == ()


@pytest.mark.parametrize("fragile", [0.01], indirect=True)
def test_who_is_well_again_is_asked_again(fragile: Gateway) -> None:
    account = Accounts(fragile.config).create()
    statuses(fragile, account, FAILURES, 500)
    while gauge(fragile, "tollway_open_breakers"):
        statuses(fragile, account, 1)
    assert statuses(fragile, account, 2 * FAILURES) == [200] * 2 * FAILURES


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("fragile", [OPEN_S], indirect=True)
def test_one_alone_finds_out_that_it_is_well_again(fragile: Gateway, sim: Sim, stream: bool) -> None:
    accounts = Accounts(fragile.config)
    account = accounts.create()
    statuses(fragile, account, FAILURES, 500)
    assert the_trial(fragile, account, sim, stream) == 200
    assert gauge(fragile, "tollway_open_breakers") == 0
    assert [one.status for one in ask_at_once(fragile, account, stream, first_delay_ms=0)] == [200] * MANY
    assert accounts.differences() == ()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("fragile", [OPEN_S], indirect=True)
def test_while_it_fails_one_alone_tries_and_the_next_one_later(fragile: Gateway, sim: Sim, stream: bool) -> None:
    accounts = Accounts(fragile.config)
    account = accounts.create()
    statuses(fragile, account, FAILURES, 500)
    assert the_trial(fragile, account, sim, stream, status=500) == 500
    asked = sim.requests()
    answer = ask(fragile, account, chat("sim/story", stream))
    assert answer.status == 503
    assert OPEN_S < int(answer.headers["retry-after"]) <= 2 * OPEN_S
    assert sim.requests() == asked
    assert gauge(fragile, "tollway_open_breakers") == 1
    assert accounts.differences() == ()


SHORT_S = 0.3


@pytest.mark.parametrize("fragile", [SHORT_S], indirect=True)
def test_answers_that_take_longer_than_it_is_left_alone_end_that(fragile: Gateway) -> None:
    """There is always somebody who asks, so a next one is let through before the one before has ended."""
    account = Accounts(fragile.config).create()
    statuses(fragile, account, FAILURES, 500)
    body = chat("sim/story", True, {"chunks": 8, "delay_ms": 2 * SHORT_S * 1_000 / 8})
    with ExitStack() as stack:

        def is_well_again() -> bool:
            stack.enter_context(Conversation(fragile)).ask(account, body)
            return not gauge(fragile, "tollway_open_breakers")

        until(is_well_again)
    assert statuses(fragile, account, 2 * FAILURES) == [200] * 2 * FAILURES
