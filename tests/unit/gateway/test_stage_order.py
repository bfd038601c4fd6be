"""The order of the stages is observable: of two things wrong with a request the earlier stage answers.

Every stage that refuses has one fault here, in the order of request-path §0.4. Any two that one request can have are
put into it together. The last test swaps neighbours in the list, and must see another answer.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import combinations, pairwise
from typing import Any, Final

import pytest

from tollway.errors import Code
from tollway.gateway import pipeline
from tollway.gateway.exchange import Exchange, Inbound
from tollway.gateway.pipeline import STAGES, run_stages
from tollway.identity.organization import OrganizationSettings
from tollway.identity.policy import policy_of
from tollway.limits.rules import rules_of
from tollway.limits.store import Full
from tollway.storage.memory.windows import MemoryWindows
from unit.gateway.fakes import (
    CALLER,
    HOSTED,
    NOW,
    PRESET,
    USER,
    FakeAuthenticator,
    FakeClaims,
    FakeClient,
    FakeUpstreams,
    body_of,
    free_uses,
    model,
    services,
)
from unit.gateway.test_pipeline import FullSlots, broke
from unit.routing.test_precedence import owned, row

PAID: Final = "acme/name"  # `acme` is also what the endpoint of test_precedence is called
RULES: Final = rules_of(PRESET.free)


class Windows(MemoryWindows):
    """Those named are full."""

    def __init__(self) -> None:
        super().__init__(RULES, 100, lambda: 0)
        self.full: set[str] = set()

    async def reserve(self, key: str, request_id: str) -> Full | None:
        return Full(RULES.hosted, 1_000) if "hour" in self.full else await super().reserve(key, request_id)

    async def check(self, key: str) -> Full | None:
        return Full(RULES.promotion, 1_000) if "day" in self.full else await super().check(key)


@dataclass
class Case:
    """A request in which nothing is wrong yet. `caller` None: without a credential."""

    model: str
    caller: dict[str, Any] | None
    body: bytes | None = None
    members: dict[str, Any] = field(default_factory=dict)
    headers: dict[bytes, bytes] = field(default_factory=dict)
    peer: str = "192.0.2.1"
    catalog: str = ""
    away: bool = False
    windows: Windows = field(default_factory=Windows)
    services: dict[str, Any] = field(default_factory=dict)

    def refusal(self) -> Code | None:
        body = body_of(model=self.model, **self.members) if self.body is None else self.body
        headers = self.headers if self.caller is None else {**self.headers, b"authorization": b"Bearer key"}
        inbound = Inbound("/v1/chat/completions", b"", headers, body, self.peer, False)
        one = Exchange("request-1", inbound, FakeClient(), NOW, 1_000.0)
        caller = replace(CALLER, **(self.caller or {}))
        everything = services(
            **{
                "preset": PRESET,
                "model": model(id_=self.catalog or self.model),
                "client": FakeUpstreams(),
                "free": free_uses(windows=self.windows),
                "authenticator": FakeAuthenticator(caller, later=self.away, away=self.away),
                **self.services,
            }
        )
        asyncio.run(run_stages(one, everything))
        return one.problem.code if one.problem else None


Put = Callable[[Case], object]


@dataclass(frozen=True)
class Fault:
    """What `stage` answers with `code` once it was put into a request."""

    stage: str
    code: Code
    put: Put


def _is(**attributes: Any) -> Put:
    return lambda case: vars(case).update(attributes)


def _caller_has(**attributes: Any) -> Put:
    return lambda case: case.caller is not None and case.caller.update(attributes)


def _services(**changes: Any) -> Put:
    return lambda case: case.services.update(changes)


def _take_the_key(case: Case) -> None:
    claims = FakeClaims()
    claims.claimed[f"{USER.id}:/v1/chat/completions", "once"] = "request-0"
    case.headers[b"idempotency-key"] = b"once"
    case.services["claims"] = claims


FAULTS: Final = (
    Fault("parse_request", Code.INVALID_REQUEST, _is(body=b"{")),
    Fault("find_address", Code.MISSING_CLIENT_IP, _is(peer="")),
    Fault("limit_free", Code.FREE_LIMIT_REACHED, lambda case: case.windows.full.add("hour")),
    Fault("authenticate", Code.LEDGER_UNAVAILABLE, _is(away=True)),
    Fault("gate_anonymous", Code.SIGN_IN_REQUIRED, lambda _: None),  # by being a stranger
    Fault("limit_concurrency", Code.TOO_MANY_REQUESTS, _services(slots=FullSlots())),
    Fault("limit_promotion", Code.PROMOTION_LIMIT_REACHED, lambda case: case.windows.full.add("day")),
    Fault("resolve_provider", Code.CREDENTIAL_UNAVAILABLE, _caller_has(owned=owned(row(sealed_key={"version": 1})))),
    Fault("check_request", Code.SERVICE_UNAVAILABLE, lambda case: case.members.update(max_tokens=10**11)),
    Fault("choose_model", Code.MODEL_NOT_FOUND, _is(catalog="other/name")),
    Fault("plan_route", Code.SERVICE_UNAVAILABLE, _services(upstreams={})),
    Fault(
        "check_policy",
        Code.MODEL_NOT_ALLOWED,
        _caller_has(policy=policy_of("enterprise", OrganizationSettings(model_allow_list=("no/such",)))),
    ),
    Fault("claim_key", Code.CONFLICT, _take_the_key),
    Fault("reserve_funds", Code.INSUFFICIENT_CREDITS, _services(funds=broke())),
)
# For each kind of request the stages that have no fault there.
WITHOUT: Final = {
    ("known", PAID): {"limit_free", "gate_anonymous", "limit_promotion"},
    ("known", HOSTED): {"gate_anonymous", "limit_promotion", "resolve_provider"},
    ("stranger", PAID): {"limit_free", "authenticate"} | {fault.stage for fault in FAULTS[6:]},
    ("stranger", HOSTED): {"authenticate", "gate_anonymous", "resolve_provider", "check_policy"}
    | {"claim_key", "reserve_funds"},
}


def _faults(kind: tuple[str, str]) -> list[Fault]:
    return [fault for fault in FAULTS if fault.stage not in WITHOUT[kind]]


def _answer(kind: tuple[str, str], *faults: Fault) -> Code | None:
    who, model_id = kind
    case = Case(model_id, {} if who == "known" else None)
    for fault in faults:
        fault.put(case)
    return case.refusal()


def _together(choose: Callable[[list[Fault]], Iterator[tuple[Fault, Fault]]]) -> list[Any]:
    return [
        pytest.param(kind, first, second, id=f"{kind[0]}-{kind[1]}-{first.stage}-{second.stage}")
        for kind in WITHOUT
        for first, second in choose(_faults(kind))
    ]


def test_every_stage_that_refuses_is_here_and_in_this_order() -> None:
    names = [stage.name for stage in STAGES]
    assert [fault.stage for fault in FAULTS] == sorted((fault.stage for fault in FAULTS), key=names.index)


@pytest.mark.parametrize("kind", WITHOUT, ids="-".join)
def test_each_fault_alone_is_answered_by_its_stage(kind: tuple[str, str]) -> None:
    is_stranger = kind == ("stranger", PAID)
    for fault in _faults(kind):
        alone = (
            Code.SIGN_IN_REQUIRED
            if is_stranger and fault.stage not in ("parse_request", "find_address")
            else fault.code
        )
        assert _answer(kind, fault) is alone, fault.stage


@pytest.mark.parametrize(("kind", "first", "second"), _together(lambda faults: combinations(faults, 2)))
def test_the_earlier_stage_answers(kind: tuple[str, str], first: Fault, second: Fault) -> None:
    if kind == ("stranger", PAID) and first.stage not in ("parse_request", "find_address"):
        assert _answer(kind, first, second) is Code.SIGN_IN_REQUIRED
    else:
        assert _answer(kind, first, second) is first.code


@pytest.mark.parametrize(("kind", "first", "second"), _together(pairwise))
def test_swapping_two_stages_is_seen(
    kind: tuple[str, str], first: Fault, second: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another answer, or a part that is not there yet."""
    expected = _answer(kind, first, second)
    stages = list(STAGES)
    one, other = (next(at for at, stage in enumerate(stages) if stage.name == fault.stage) for fault in (first, second))
    stages[one], stages[other] = stages[other], stages[one]
    monkeypatch.setattr(pipeline, "STAGES", tuple(stages))
    try:
        swapped = _answer(kind, first, second)
    except AttributeError:
        return
    assert swapped is not expected
