"""An abuse service that is down, frozen or talks nonsense costs no request anything, and is back by itself.

Guarantees §8: each at start, in mid-load and on return. What it is asked and told is in
tests/vectors/test_response_abuse.py.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic

import pytest

from flow.accounts import Account, Accounts
from flow.conversation import ask
from flow.programs import Gateway, Sim, settings_for
from servers.abuse import AbuseService
from vectors.oversight import counted, logged, wait_for_count

TOGETHER = 12
IN_FLIGHT = 4
STORY = {"model": "sim/story", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
def service() -> Iterator[AbuseService]:
    server = AbuseService()
    yield server
    server.close()


def gateway_for(folder: Path, sim: Sim, service: AbuseService, *more: str) -> Gateway:
    lines = (f'abuse.base_url = "{service.url}"', f"abuse.in_flight = {IN_FLIGHT}", "abuse.answer_s = 3", *more)
    return Gateway(folder, settings_for(folder, sim.url, top="\n".join(lines)))


@pytest.fixture
def gateway(tmp_path: Path, sim: Sim, service: AbuseService) -> Iterator[Gateway]:
    program = gateway_for(tmp_path, sim, service)
    yield program
    program.end()


def load(gateway: Gateway, account: Account) -> None:
    """As many requests at once as there are; each is served, streamed or whole."""
    with ThreadPoolExecutor(TOGETHER) as pool:
        bodies = [{**STORY, "stream": number % 2 == 0} for number in range(TOGETHER)]
        answers = list(pool.map(lambda body: ask(gateway, account, body), bodies))
    assert [answer.status for answer in answers] == [200] * TOGETHER
    assert all(answer.whole and not answer.errors for answer in answers if answer.data)


def failures(gateway: Gateway, kind: str) -> float:
    return counted(gateway, f'tollway_abuse_failures_total{{kind="{kind}"}}')


def test_one_that_is_down_and_comes_back(tmp_path: Path, sim: Sim) -> None:
    first = AbuseService()
    first.close()
    gateway = gateway_for(tmp_path, sim, first)
    try:
        accounts = Accounts(gateway.config)
        account = accounts.create()
        load(gateway, account)
        wait_for_count(gateway, 'tollway_abuse_failures_total{kind="connect"}', 1)
        again = AbuseService(first.port)
        try:
            load(gateway, account)
            assert again.told()["kilo_user_id"] == account.user_id
            assert len(logged(gateway, "abuse_service_away", 1)) == 1  # and not once for each request
            assert len(logged(gateway, "abuse_service_back", 1)) == 1
            assert logged(gateway, "abuse_verdict", 1)
        finally:
            again.close()
        load(gateway, account)
        assert accounts.differences() == ()
        assert gateway.stop() == 0
    finally:
        gateway.end()


def test_one_that_freezes_in_mid_load(gateway: Gateway, service: AbuseService) -> None:
    """So many questions wait for it and no more, and for as long as a verdict counts."""
    accounts = Accounts(gateway.config)
    account = accounts.create()
    load(gateway, account)
    service.told()
    service.hang()
    begun = monotonic()
    load(gateway, account)
    assert failures(gateway, "busy") >= 1
    while failures(gateway, "timeout") < 1:  # reports of before may have had every place while the first load came
        assert monotonic() - begun < 20
        load(gateway, account)
    assert monotonic() - begun >= 2
    service.be_well()
    seen = len(logged(gateway, "abuse_verdict", 0))
    load(gateway, account)
    assert len(logged(gateway, "abuse_verdict", seen + 1)) > seen
    assert accounts.differences() == ()


def test_a_frozen_one_keeps_nobody_from_ending(gateway: Gateway, service: AbuseService) -> None:
    account = Accounts(gateway.config).create()
    service.hang()
    assert ask(gateway, account, STORY).status == 200
    begun = monotonic()
    assert gateway.stop() == 0
    assert monotonic() - begun < 15


def test_one_that_talks_nonsense(gateway: Gateway, service: AbuseService) -> None:
    account = Accounts(gateway.config).create()
    service.say(b"<html>" + bytes(100_000))
    load(gateway, account)
    wait_for_count(gateway, 'tollway_abuse_failures_total{kind="too_large"}', 1)
    service.say(b'{"verdict": ["ALLOW"]}')
    load(gateway, account)
    wait_for_count(gateway, 'tollway_abuse_failures_total{kind="garbage"}', 1)
    assert service.reported.empty()
    assert "internal_error" not in "\n".join(gateway.lines)


def test_prompts_are_sent_where_the_operator_wants_that(tmp_path: Path, sim: Sim, service: AbuseService) -> None:
    """P1: and only then."""
    gateway = gateway_for(tmp_path, sim, service, "abuse.send_prompts = true")
    try:
        account = Accounts(gateway.config).create()
        messages = [{"role": "system", "content": "be brief"}, *STORY["messages"]]
        assert ask(gateway, account, {**STORY, "messages": messages}).status == 200
        asked = service.asked()
        assert (asked["user_prompt"], asked["system_prompt"]) == ("hi", "be brief")
        assert gateway.stop() == 0
    finally:
        gateway.end()
