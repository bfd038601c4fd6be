"""Stand-ins for everything a stage may touch, and shortcuts for the values it reads."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from math import inf
from typing import Any

from msgspec.json import encode

from tollway.billing.ledger import BudgetKind, BudgetRef, Hold, HoldOrder, HoldRefused, Outcome
from tollway.billing.store import JournalUnavailableError, StoreUnavailableError
from tollway.catalog.classification import PAID, Classification
from tollway.catalog.model import Model, Offer, Price
from tollway.catalog.preset import Identity, Preset
from tollway.catalog.snapshot import build_snapshot
from tollway.deadlines import NEVER, Deadlines
from tollway.errors import Problem
from tollway.gateway.context import Contexts
from tollway.gateway.dialects import dialects_of
from tollway.gateway.drains import Drains
from tollway.gateway.exchange import Exchange, Inbound
from tollway.gateway.free_use import FreeUses
from tollway.gateway.logins import Logins
from tollway.gateway.open_relays import OpenRelays
from tollway.gateway.origins import Origins
from tollway.gateway.phases import PhaseMemory
from tollway.gateway.services import ClientListener, Services
from tollway.gateway.slots import Slots
from tollway.gateway.upstream_port import Failure, ReplySink
from tollway.identity.anonymous import anonymous_caller
from tollway.identity.authenticator import Authenticator, Kept
from tollway.identity.caller import Caller, Refusal
from tollway.identity.outbound import OutboundRules
from tollway.identity.sealing import SealingKeys
from tollway.limits.rules import rules_of
from tollway.limits.store import FreeUse
from tollway.money import Microdollars
from tollway.observability.logs import RequestLog
from tollway.observability.metrics import Metrics
from tollway.providers.provider import Provider
from tollway.providers.registry import Origin, Upstream
from tollway.providers.rulebook import Rulebook
from tollway.providers.user_hashes import UserHashes
from tollway.routing.auto_model import auto_models
from tollway.routing.breaker import Breakers
from tollway.routing.fallback import RetryBudget
from tollway.routing.plan import Candidate
from tollway.routing.precedence import OwnRoute, Precedence, Rule
from tollway.settings import Settings, parse
from tollway.storage.memory.windows import MemoryWindows
from tollway.storage.presets import load_preset
from tollway.wire.answer_head import read_answer_head
from tollway.wire.frames import error_frame

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
PRICE = Price("test/1", NOW, Decimal("0.000002"), Decimal("0.000008"))
CALLER = Caller("user-1", "ada@example.com", key_id="key-1")
ANONYMOUS = anonymous_caller(b"key", "::1")
USER = BudgetRef(BudgetKind.USER, "user-1")
HOLD = Hold("request-1", Microdollars(1_000), (USER,), (Microdollars(1_000),), NOW.date())
SEALING_KEYS = SealingKeys({"k1": bytes(range(32))}, "k1", bytes(range(32)))
SETTINGS = parse({"retries": {"backoff_s": 0}})
PRESET = load_preset("kilo")
HOSTED = "corethink:free"  # a model that PRESET's operator pays for


class Clock:
    """Monotonic seconds that only tests move."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class FakeClient:
    """Implements Client; remembers what it was told."""

    def __init__(self) -> None:
        self.gone = False
        self.started = False
        self.status = 0
        self.listener: ClientListener | None = None
        self.headers = b""
        self.body = b""
        self.problem: Problem | None = None
        self.endings = 0
        self.takes_chunks = True
        self.passed = 0  # chunks that came as they were

    def refuse(self, problem: Problem, request_id: str) -> None:
        self.problem = problem
        self.answer(problem.http_status, b"x-request-id: %b\r\n" % request_id.encode(), b"")

    def answer(self, status: int, headers: bytes, body: bytes) -> None:
        assert not self.started
        self.started, self.status, self.headers, self.body = True, status, headers, body
        self.endings += 1

    def start_stream(self, status: int, headers: bytes) -> None:
        assert not self.started
        self.started, self.status, self.headers = True, status, headers

    def write(self, data: bytes) -> None:
        assert self.started
        assert not self.endings
        assert data, "an empty chunk ends a stream"
        self.body += data

    def write_chunk(self, data: bytes) -> None:
        size, body = data.split(b"\r\n", 1)
        assert len(body) == int(size, 16) + 2
        assert body.endswith(b"\r\n")
        self.write(body[:-2])
        self.passed += 1

    def finish_stream(self, data: bytes) -> None:
        assert self.started
        self.body += data
        self.endings += 1

    def break_off(self, problem: Problem, request_id: str) -> None:
        self.finish_stream(error_frame(problem.code.value, problem.shown or problem.entry.message, request_id))

    def abort(self) -> None:
        self.endings += 1


class FakeConnection:
    """Implements UpstreamConnection."""

    def __init__(self, headers_by: float = NEVER) -> None:
        self.deadline = headers_by
        self.waiting_for = "response headers"
        self.is_paused = False
        self.is_abandoned = False

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def end_by(self, at: float) -> None:
        self.deadline = min(self.deadline, at)

    def abandon(self) -> None:
        self.is_abandoned = True


Play = Callable[[ReplySink], Failure | None]


class FakeUpstreams:
    """Implements UpstreamClient: plays one script per attempt, and keeps what was sent."""

    def __init__(self, *scripts: Play) -> None:
        self.scripts = list(scripts)
        self.sent: list[tuple[str, bytes, bytes, bool]] = []  # upstream id, head, body, fresh: no kept one was wanted
        self.kept_was_asked = False

    def send_kept(
        self, upstream: Upstream, head: bytes, body: bytes, sink: ReplySink, headers_s: float
    ) -> FakeConnection | None:
        self.kept_was_asked = True
        return None

    async def send_fresh(
        self, upstream: Upstream, head: bytes, body: bytes, sink: ReplySink, headers_s: float
    ) -> FakeConnection | Failure:
        fresh, self.kept_was_asked = not self.kept_was_asked, False
        self.sent.append((upstream.id, head, body, fresh))
        return self.scripts.pop(0)(sink) or FakeConnection()


def answers(status: int, body: object, **headers: str) -> Play:
    """A whole JSON answer."""

    def play(sink: ReplySink) -> None:
        lines = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        sink.head_arrived(read_answer_head(status, [(b"content-type", b"application/json"), *lines]))
        sink.body_arrived(body if isinstance(body, bytes) else encode(body))
        sink.ended()

    return play


def fails(failure: Failure) -> Play:
    return lambda _: failure


class FakeFunds:
    """Funds as stages and closers use them, in memory; as `waits` the slices cover nothing and the books are asked.

    `away`: neither books nor journal can be reached. `broken`: there is a bug for this request id. `opens_left`: so
    many attempts the journal still takes.
    """

    def __init__(self, waits: bool = False, opens_left: int = 1_000) -> None:
        self.away = False
        self.broken = ""
        self.refuses: HoldRefused | None = None
        self.opens_left = opens_left
        self.orders: list[HoldOrder] = []
        self.opened: list[tuple[str, bytes]] = []
        self.closed: list[Outcome] = []
        self.released: list[Hold] = []
        self._waits = waits

    def hold(self, order: HoldOrder) -> Hold | HoldRefused | Awaitable[Hold | HoldRefused]:
        self._check(order.request_id)
        self.orders.append(order)
        if self._waits or self.away:
            return self._ask(order)
        return self._answer(order)

    async def _ask(self, order: HoldOrder) -> Hold | HoldRefused:
        if self.away:
            raise StoreUnavailableError("gone")
        return self._answer(order)

    def _answer(self, order: HoldOrder) -> Hold | HoldRefused:
        amounts = (order.worst_case,) * len(order.budgets)
        return self.refuses or Hold(order.request_id, order.worst_case, order.budgets, amounts, order.usage_day)

    def open(self, request_id: str, payload: bytes) -> None:
        self._check(request_id)
        if self.away or not self.opens_left:
            raise JournalUnavailableError("full")
        self.opens_left -= 1
        self.opened.append((request_id, payload))

    async def close(self, outcome: Outcome) -> None:
        self._check(outcome.hold.request_id)
        if self.away:
            raise StoreUnavailableError("gone")
        self.closed.append(outcome)

    def release(self, hold: Hold) -> None:
        self._check(hold.request_id)
        self.released.append(hold)

    def _check(self, request_id: str) -> None:
        if request_id == self.broken:
            raise ZeroDivisionError


class FakeClaims:
    """Implements Claims in memory, for ever. `away`: the database cannot be reached."""

    def __init__(self, away: bool = False) -> None:
        self.away = away
        self.claimed: dict[tuple[str, str], str] = {}  # by scope and key, the request

    async def claim(self, scope: str, key: str, request_id: str) -> str:
        await self._call()
        return self.claimed.setdefault((scope, key), request_id)

    async def free(self, request_id: str) -> None:
        await self._call()
        self.claimed = {key: first for key, first in self.claimed.items() if first != request_id}

    async def _call(self) -> None:
        await asyncio.sleep(0)
        if self.away:
            raise StoreUnavailableError("gone")


class FakeFreeUseLog:
    """Implements FreeUseLog. `away`: the database cannot be reached."""

    def __init__(self, away: bool = False) -> None:
        self.away = away
        self.uses: list[FreeUse] = []

    async def add(self, use: FreeUse) -> None:
        await asyncio.sleep(0)
        if self.away:
            raise StoreUnavailableError("gone")
        self.uses.append(use)


def free_uses(preset: Preset = PRESET, now_ms: Callable[[], int] = lambda: 0, **changes: Any) -> FreeUses:
    """Free use with windows of the process's own; name what a test looks at."""
    windows = MemoryWindows(rules_of(preset.free), 100, now_ms)
    made = FreeUses(windows, FakeFreeUseLog(), b"secret", preset.free.promotion_text)
    return replace(made, **changes)


class FakeAuthenticator(Authenticator):
    """Knows one verdict for every credential; as `later` it must be asked for."""

    def __init__(self, verdict: Caller | Refusal | None = CALLER, later: bool = False, away: bool = False) -> None:
        self.verdict, self.later, self.away = verdict, later, away
        self.asked: list[tuple[str, str]] = []
        self.once_good = False
        self.under_way = False

    def is_asking(self, credential: str, organization: str) -> bool:
        return self.under_way

    def was_good(self, credential: str, organization: str) -> bool:
        return self.once_good

    def find(self, credential: str, organization: str) -> Kept | None:
        return None if self.later or self.verdict is None else Kept(self.verdict, inf)

    def verdict_of(self, kept: Kept) -> Caller | Refusal | None:
        return kept.verdict

    async def authenticate(self, credential: str, organization: str) -> Caller | Refusal:
        if self.away:
            raise StoreUnavailableError("gone")
        self.asked.append((credential, organization))
        assert self.verdict
        return self.verdict


def upstream(id_: str = "sim", dialect: str = "openai", **provider: Any) -> Upstream:
    record = Provider(id=id_, name=id_, dialect=dialect, base_url="", source="", checked="2026-11-20", **provider)
    head = (b"POST /v1/chat/completions", b" HTTP/1.1\r\n")
    return Upstream(id_, record, "http://up.example/v1", Origin("http", "up.example", 80), head)


def candidate(id_: str = "sim", price: Price = PRICE, **provider: Any) -> Candidate:
    return Candidate(upstream(id_, **provider), Offer(id_, "vendor/name", price), Microdollars(1_000))


def model(*providers: str, id_: str = "vendor/name") -> Model:
    offers = tuple(Offer(name, "vendor/name", PRICE) for name in providers or ("sim",))
    return Model(id=id_, name=id_, context_length=1_000, completion_tokens_max=100, offers=offers)


OWN = OwnRoute(Rule.CUSTOM_UPSTREAM, True, True, model(), upstream())  # an endpoint of the caller's


def body_of(**more: Any) -> bytes:
    return encode({"model": "vendor/name", "messages": [{"role": "user", "content": "hello there"}], **more})


def exchange(body: bytes | None = None, headers: dict[bytes, bytes] | None = None, client: Any = None) -> Exchange:
    inbound = Inbound("/v1/chat/completions", b"", headers or {}, body_of() if body is None else body, "::1", False)
    made = Exchange("request-1", inbound, client or FakeClient(), NOW, 1_000.0)
    made.own, made.kind = None, PAID
    return made


class FakePhases:
    """Phases in memory. `failing`: raise StoreUnavailableError."""

    def __init__(self, **known: str) -> None:
        self.known = dict(known)
        self.failing = False
        self.asked: list[list[str]] = []

    async def find(self, keys: Collection[str]) -> dict[str, str]:
        self._check()
        self.asked.append(list(keys))
        return {key: self.known[key] for key in keys if key in self.known}

    async def remember(self, phases: Mapping[str, str]) -> None:
        self._check()
        self.known = {**phases, **self.known}

    async def forget(self, before: datetime, rows_max: int) -> int:
        self._check()
        return 0

    def _check(self) -> None:
        if self.failing:
            raise StoreUnavailableError("phases")


def services(**changes: Any) -> Services:
    """Everything, faked; name what a test looks at."""
    clock = changes.pop("clock", Clock())
    settings: Settings = changes.pop("settings", SETTINGS)
    metrics = Metrics()
    preset: Preset = changes.pop("preset", Preset())
    catalog = build_snapshot([changes.pop("model", model())])
    made = Services(
        settings=settings,
        promotions={},
        deadlines=Deadlines(clock),
        behind_proxy=lambda _: None,
        user_hashes=UserHashes(Identity(), "the deployment's secret"),
        authenticator=FakeAuthenticator(),
        logins=Logins(settings, b"secret", metrics, clock),
        funds=FakeFunds(),
        claims=FakeClaims(),
        contexts=Contexts(preset),
        auto_models=auto_models(preset.auto_models),
        classification=Classification(preset),
        anon_id_key=b"anon-test-key",
        catalog=lambda: catalog,
        upstreams={"sim": upstream()},
        hosted_upstreams=changes.get("upstreams", {"sim": upstream()}),
        precedence=Precedence(SEALING_KEYS, OutboundRules(), takes_custom_upstreams=True),
        split=None,
        rulebook=Rulebook(preset),
        dialects=dialects_of(preset, PhaseMemory(FakePhases(), lambda: NOW)),
        stream_comment=preset.stream_comment,
        client=FakeUpstreams(),
        retry_budget=RetryBudget(settings.retries),
        breakers=Breakers(settings.breaker),
        slots=Slots(),
        free=free_uses(Preset()),
        drains=Drains(settings.limits.drains, metrics.drains.set),
        origins=Origins(b"secret"),
        relays=OpenRelays(lambda _: None),
        metrics=metrics,
        request_log=RequestLog(lambda _: None, lambda *_: None),
    )
    return replace(made, **changes)


async def settled(result: Any) -> Any:
    """What a stage gave, whether at once or later."""
    return await result if isinstance(result, Awaitable) else result
