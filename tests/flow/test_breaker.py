"""A stand-in that fails is left alone, for the model that fails, until one attempt finds it well again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from flow.accounts import Account, Accounts
from flow.conversation import ask, chat
from flow.programs import Gateway, Sim, settings_for
from flow.quick import gauge

FAILURES = 4
TOP = """
retries.count_max = 0
breaker.open_s = {open_s}
breaker.calls_min = 0
breaker.failures_in_a_row = {failures}
"""


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


@pytest.mark.parametrize("fragile", [600], indirect=True)
def test_who_keeps_failing_is_asked_no_more(fragile: Gateway, sim: Sim) -> None:
    accounts = Accounts(fragile.config)
    account = accounts.create()
    assert statuses(fragile, account, 3 * FAILURES, 400) == [400] * 3 * FAILURES  # the caller's own doing
    assert statuses(fragile, account, FAILURES, 500) == [500] * FAILURES
    asked = len(sim.records())
    answer = ask(fragile, account, chat())
    assert (answer.status, answer.json["error"]["code"]) == (503, "upstream_unavailable")
    assert 590 * 0.8 <= int(answer.headers["retry-after"]) <= 600 * 1.2
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
