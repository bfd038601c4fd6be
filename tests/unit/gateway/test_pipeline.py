"""Which refusal wins, that closers run whatever happens, and what a bug looks like from outside."""

import asyncio
from dataclasses import replace
from types import TracebackType
from typing import Any

import pytest

from tollway.billing.ledger import HoldOrder, HoldRefused
from tollway.errors import Code, Problem
from tollway.gateway import pipeline
from tollway.gateway.exchange import Exchange
from tollway.gateway.pipeline import CLOSERS, STAGES, handle
from tollway.gateway.services import Services
from tollway.gateway.slots import Slots
from tollway.gateway.upstream_port import Failure, FailureKind
from tollway.identity.anonymous import anonymous_id
from tollway.identity.caller import Refusal
from tollway.money import Microdollars
from tollway.settings import parse
from tollway.storage.presets import load_preset
from unit.gateway.fakes import (
    USER,
    FakeAuthenticator,
    FakeClaims,
    FakeClient,
    FakeFunds,
    FakeUpstreams,
    answers,
    body_of,
    exchange,
    fails,
    model,
    services,
)

KEY = {b"authorization": b"Bearer key"}
KEYED = {**KEY, b"idempotency-key": b"once"}
BAD_JSON, UNKNOWN = b"{", body_of(model="no/such")
NO_MONEY = HoldRefused(USER, Microdollars(0))
BODY = {"id": "a", "model": "m", "choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}


class Guard:
    """Takes one kind of bug for one; anything else is a bug of the test's own."""

    def __init__(self) -> None:
        self.failed = False

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self.failed = isinstance(error, ZeroDivisionError)
        return self.failed


def run(one: Exchange, everything: Services) -> FakeClient:
    asyncio.run(handle(one, everything, Guard))
    client = one.client
    assert isinstance(client, FakeClient)
    return client


class FullSlots(Slots):
    def take(self, places: list[tuple[str, int]]) -> str | None:
        return places[0][0]


def broke() -> FakeFunds:
    funds = FakeFunds()
    funds.refuses = NO_MONEY
    return funds


def away() -> FakeFunds:
    funds = FakeFunds()
    funds.away = True
    return funds


NOBODY = FakeAuthenticator(Refusal("unknown"))
TAKEN = FakeClaims()
TAKEN.claimed[f"{USER.id}:/v1/chat/completions", "once"] = "request-0"
AWAY = FakeAuthenticator(later=True, away=True)


@pytest.mark.parametrize(
    ("body", "headers", "changes", "code"),
    [
        (BAD_JSON, {}, {}, Code.INVALID_REQUEST),  # 400 before 401
        (b"{}", {}, {}, Code.MODEL_NOT_FOUND),
        (BAD_JSON, KEY, {"authenticator": AWAY}, Code.INVALID_REQUEST),  # before anyone is asked who it is
        (UNKNOWN, KEY, {"authenticator": AWAY}, Code.LEDGER_UNAVAILABLE),
        (UNKNOWN, {}, {}, Code.SIGN_IN_REQUIRED),  # 401 before 404
        (UNKNOWN, KEY, {"authenticator": NOBODY}, Code.SIGN_IN_REQUIRED),
        (UNKNOWN, KEY, {"authenticator": NOBODY, "slots": FullSlots()}, Code.SIGN_IN_REQUIRED),  # 401 before 429
        (UNKNOWN, KEY, {"slots": FullSlots()}, Code.TOO_MANY_REQUESTS),  # 429 before 404
        (UNKNOWN, KEY, {"funds": broke()}, Code.MODEL_NOT_FOUND),  # 404 before 402
        (UNKNOWN, {**KEY, b"idempotency-key": b""}, {}, Code.MODEL_NOT_FOUND),
        (None, {**KEY, b"idempotency-key": b""}, {"funds": broke()}, Code.BAD_REQUEST),
        (None, KEYED, {"claims": TAKEN, "funds": broke()}, Code.CONFLICT),  # 409 before 402
        (None, KEYED, {"claims": FakeClaims(away=True)}, Code.LEDGER_UNAVAILABLE),
        (None, KEY, {"upstreams": {}, "funds": broke()}, Code.SERVICE_UNAVAILABLE),
        (None, KEY, {"funds": broke()}, Code.INSUFFICIENT_CREDITS),  # 402 before anything goes upstream
        (None, KEY, {"funds": away()}, Code.LEDGER_UNAVAILABLE),
        (None, KEY, {"funds": FakeFunds(opens_left=0)}, Code.JOURNAL_UNAVAILABLE),
        (None, KEY, {}, Code.UPSTREAM_UNREACHABLE),
    ],
)
def test_which_refusal_wins(
    body: bytes | None, headers: dict[bytes, bytes], changes: dict[str, Any], code: Code
) -> None:
    upstreams = FakeUpstreams(*[fails(Failure(FailureKind.CONNECT, "refused", False))] * 3)
    one = exchange(body, headers)
    client = run(one, services(client=upstreams, **changes))
    assert client.problem
    assert client.problem.code is code
    assert client.endings == 1
    assert bool(upstreams.sent) == (code is Code.UPSTREAM_UNREACHABLE)


def test_a_served_request() -> None:
    funds = FakeFunds(waits=True)
    everything = services(client=FakeUpstreams(answers(200, BODY)), funds=funds)
    client = run(exchange(headers=KEY), everything)
    assert (client.status, client.problem, client.endings) == (200, None, 1)
    assert len(funds.closed) == 1
    assert everything.slots.take([("user-1", 1), ("key-1", 1)]) is None  # its places are free again


KILO = load_preset("kilo")
DEAD, UNAVAILABLE = body_of(model="z-ai/glm-5:free", max_tokens=10**11), body_of(model="qwen/qwen3-coder:free")
FREE = "vendor/name:free"


@pytest.mark.parametrize(
    ("body", "headers", "changes", "code"),
    [
        (body_of(max_tokens=10**11), {}, {}, Code.SIGN_IN_REQUIRED),  # 401 before 503
        (body_of(model="no/such", max_tokens=10**11), KEY, {}, Code.SERVICE_UNAVAILABLE),  # 503 before 404
        (DEAD, {}, {}, Code.SERVICE_UNAVAILABLE),
        (DEAD, KEY, {"slots": FullSlots()}, Code.TOO_MANY_REQUESTS),
        (body_of(model="z-ai/glm-5:free"), {}, {}, Code.MODEL_ENDED),  # although the catalog has neither
        (body_of(model="z-ai/glm-5:free"), KEY, {"funds": broke()}, Code.MODEL_ENDED),
        (UNAVAILABLE, {}, {}, Code.MODEL_NOT_FOUND),
        (UNAVAILABLE, KEY, {"model": model(id_="qwen/qwen3-coder:free")}, Code.MODEL_NOT_FOUND),  # although it is there
        (body_of(model="kilo/auto"), {}, {}, Code.SIGN_IN_REQUIRED),
        (body_of(model="kilo/auto-free"), {}, {}, Code.MODEL_NOT_FOUND),  # free, hence past the gate
    ],
)
def test_which_refusal_wins_with_rules_for_models(
    body: bytes, headers: dict[bytes, bytes], changes: dict[str, Any], code: Code
) -> None:
    upstreams = FakeUpstreams()
    client = run(exchange(body, headers), services(client=upstreams, preset=KILO, **changes))
    assert client.problem
    assert client.problem.code is code
    assert upstreams.sent == []


@pytest.mark.parametrize("ends_with", [200, 400, Failure(FailureKind.BROKEN, "reset", True)], ids=str)
def test_a_stranger_gets_a_free_model_and_no_money_moves(ends_with: int | Failure) -> None:
    funds = FakeFunds(waits=True)
    play = fails(ends_with) if isinstance(ends_with, Failure) else answers(ends_with, BODY)
    everything = services(client=FakeUpstreams(play), funds=funds, preset=KILO, model=model(id_=FREE))
    one = exchange(body_of(model=FREE), {b"x-kilocode-organizationid": b"org-1"})
    client = run(one, everything)
    assert (client.status, client.endings) == (502 if isinstance(ends_with, Failure) else ends_with, 1)
    assert (funds.orders, funds.opened, funds.closed, funds.released) == ([], [], [], [])
    assert one.caller.is_anonymous
    assert one.caller.organization_id is None
    assert everything.slots.take([(one.caller.user_id, 1)]) is None


def test_strangers_at_one_address_have_so_many_requests_at_once() -> None:
    everything = services(preset=KILO, model=model(id_=FREE), settings=parse({"limits": {"in_flight_per_account": 1}}))
    everything.slots.take([(anonymous_id(everything.anon_id_key, "::1"), 1)])
    client = run(exchange(body_of(model=FREE)), everything)
    assert client.problem
    assert client.problem.code is Code.TOO_MANY_REQUESTS


def test_the_model_an_auto_model_stands_for_is_served() -> None:
    upstreams = FakeUpstreams(answers(200, BODY))
    everything = services(client=upstreams, preset=KILO, model=model(id_="anthropic/claude-opus-4.6"))
    asked = body_of(model="KILO/Auto", verbosity="low")
    one = exchange(asked, {**KEY, b"x-kilocode-mode": b"plan"})
    assert run(one, everything).status == 200
    ((_, _, sent, _),) = upstreams.sent
    assert b'"verbosity":"high"' in sent
    assert (one.asked.model, one.model.id) == ("KILO/Auto", "anthropic/claude-opus-4.6")
    assert one.outcome
    assert one.outcome.record.requested_model == "kilo/auto"


def test_the_money_is_settled_before_the_answer_ends() -> None:
    seen: list[int] = []

    class Watching(FakeClient):
        def answer(self, status: int, headers: bytes, body: bytes) -> None:
            seen.append(len(funds.closed))
            super().answer(status, headers, body)

    funds = FakeFunds(waits=True)
    run(exchange(headers=KEY, client=Watching()), services(client=FakeUpstreams(answers(200, BODY)), funds=funds))
    assert seen == [1]


def test_a_key_is_claimed_before_money_is_held_and_free_again_before_the_refusal_is_told() -> None:
    """Who reads the refusal may try again at once."""
    seen: list[int] = []

    class Watching(FakeClient):
        def refuse(self, problem: Problem, request_id: str) -> None:
            seen.append(len(claims.claimed))
            super().refuse(problem, request_id)

    class Holding(FakeFunds):
        def hold(self, order: HoldOrder) -> Any:
            seen.append(len(claims.claimed))
            return super().hold(order)

    claims, funds = FakeClaims(), Holding()
    funds.refuses = NO_MONEY
    run(exchange(headers=KEYED, client=Watching()), services(funds=funds, claims=claims))
    assert seen == [1, 0]


@pytest.mark.parametrize("where", ["hold", "open", "send", "close"])
def test_a_bug_frees_a_key_only_if_nothing_was_sent(where: str) -> None:
    claims, funds = FakeClaims(), FakeFunds()

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    if where != "send":
        setattr(funds, where, fail)
    upstreams = FakeUpstreams(fail if where == "send" else answers(200, BODY))
    run(exchange(headers=KEYED), services(client=upstreams, funds=funds, claims=claims))
    assert bool(claims.claimed) == (where == "close")


@pytest.mark.parametrize("where", ["hold", "open", "close", "send"])
def test_a_bug_is_an_internal_error_and_leaves_nothing_taken(where: str) -> None:
    funds = FakeFunds()

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    if where == "hold":
        funds.broken = "request-1"
    elif where in ("open", "close"):
        setattr(funds, where, fail)
    everything = services(client=FakeUpstreams(fail if where == "send" else answers(200, BODY)), funds=funds)
    client = run(exchange(headers=KEY), everything)
    assert client.endings == 1
    if where != "close":
        assert client.problem
        assert client.problem.code is Code.INTERNAL_ERROR
    if where in ("open", "send"):
        assert len(funds.released) == 1
    assert everything.slots.take([("user-1", 1), ("key-1", 1)]) is None


def test_one_who_left_before_it_was_sent_is_not_sent_for() -> None:
    upstreams, funds = FakeUpstreams(), FakeFunds()
    one = exchange(headers=KEY)
    one.client.gone = True
    client = run(one, services(client=upstreams, funds=funds))
    assert (upstreams.sent, len(funds.released), client.endings) == ([], 1, 1)


def test_what_the_journal_does_not_take_is_not_sent_and_costs_nothing() -> None:
    upstreams, funds = FakeUpstreams(), FakeFunds(opens_left=0)
    client = run(exchange(headers=KEY), services(client=upstreams, funds=funds))
    assert (client.status, upstreams.sent, funds.closed) == (503, [], [])
    assert [hold.request_id for hold in funds.released] == ["request-1"]


def test_an_answer_is_given_also_when_its_charge_cannot_be_written_down() -> None:
    """It is kept in memory, and the caller has done nothing wrong."""
    funds = FakeFunds()

    class Leaving(FakeUpstreams):
        async def send_fresh(self, *request: Any) -> Any:
            sent = await super().send_fresh(*request)
            funds.away = True
            return sent

    client = run(exchange(headers=KEY), services(client=Leaving(answers(200, BODY)), funds=funds))
    assert (client.status, client.problem, funds.closed) == (200, None, [])


def test_every_stage_has_a_name_of_its_own() -> None:
    names = [stage.name for stage in STAGES]
    assert len(set(names)) == len(names)
    assert len(set(CLOSERS)) == len(CLOSERS)


def breaks(waits: bool) -> Any:
    """A step that is a bug: at once, or once it has waited."""

    def at_once(*_: object) -> None:
        raise ZeroDivisionError

    async def later(*_: object) -> None:
        await asyncio.sleep(0)
        raise ZeroDivisionError

    return later if waits else at_once


@pytest.mark.parametrize("waits", [False, True], ids=["at once", "later"])
@pytest.mark.parametrize("place", range(len(STAGES)), ids=[stage.name for stage in STAGES])
def test_a_bug_in_any_stage_is_an_internal_error(monkeypatch: pytest.MonkeyPatch, place: int, waits: bool) -> None:
    stages = [*STAGES[:place], replace(STAGES[place], run=breaks(waits)), *STAGES[place + 1 :]]
    monkeypatch.setattr(pipeline, "STAGES", tuple(stages))
    funds = FakeFunds()
    everything = services(client=FakeUpstreams(answers(200, BODY)), funds=funds)
    client = run(exchange(headers=KEY), everything)
    assert client.endings == 1
    assert client.problem
    assert client.problem.code is Code.INTERNAL_ERROR
    assert len(funds.released) + len(funds.closed) == len(funds.orders)
    assert everything.slots.take([("user-1", 1), ("key-1", 1)]) is None


@pytest.mark.parametrize("waits", [False, True], ids=["at once", "later"])
@pytest.mark.parametrize("place", range(len(CLOSERS)), ids=[closer.__module__.rpartition(".")[2] for closer in CLOSERS])
def test_a_bug_in_any_closer_keeps_no_other_from_its_turn(
    monkeypatch: pytest.MonkeyPatch, place: int, waits: bool
) -> None:
    had_their_turn: list[int] = []

    def noted(number: int) -> Any:
        def run_it(one: Exchange, everything: Services) -> Any:
            had_their_turn.append(number)
            return CLOSERS[number](one, everything)

        return run_it

    closers = [breaks(waits) if number == place else noted(number) for number in range(len(CLOSERS))]
    monkeypatch.setattr(pipeline, "CLOSERS", tuple(closers))
    run(exchange(headers=KEY), services(client=FakeUpstreams(answers(200, BODY))))
    assert had_their_turn == [number for number in range(len(CLOSERS)) if number != place]
