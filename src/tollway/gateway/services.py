"""The ports a stage may use. Implementations live at the edges and are put together in `app.py`."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from tollway.billing.store import Claims
from tollway.catalog.classification import Classification
from tollway.catalog.snapshot import CatalogSnapshot
from tollway.deadlines import Deadlines
from tollway.errors import Problem
from tollway.gateway.abuse_checks import AbuseChecks
from tollway.gateway.context import Contexts
from tollway.gateway.drains import Drains
from tollway.gateway.free_use import FreeUses
from tollway.gateway.funds import Funds
from tollway.gateway.open_relays import OpenRelays
from tollway.gateway.origins import Origins
from tollway.gateway.slots import Slots
from tollway.gateway.transcripts import Transcripts
from tollway.identity.authenticator import Authenticator
from tollway.identity.promotions import Promotions
from tollway.observability.logs import RequestLog
from tollway.observability.metric_feed import MetricFeed
from tollway.observability.metrics import Metrics
from tollway.providers.registry import Upstream
from tollway.providers.rulebook import Rulebook
from tollway.providers.user_hashes import UserHashes
from tollway.routing.auto_model import AutoModels
from tollway.routing.breaker import Breakers
from tollway.routing.fallback import RetryBudget
from tollway.routing.precedence import Precedence
from tollway.routing.split import TrafficSplit
from tollway.settings import Settings
from tollway.wire.answer_head import AnswerHead


class ClientListener(Protocol):
    """Who wants to know how the client's connection fares."""

    def client_gone(self) -> None: ...

    def client_paused(self) -> None: ...

    def client_resumed(self) -> None: ...


class Client(Protocol):
    """The connection that waits for an answer. Every call on a client that has gone does nothing."""

    gone: bool
    started: bool  # the head of an answer was written (or would have been, had the client stayed)
    status: int
    listener: ClientListener | None  # one who comes late is told at once that the client is paused

    def refuse(self, problem: Problem, request_id: str) -> None:
        """A whole answer that says why not."""
        ...

    def answer(self, status: int, headers: bytes, body: bytes) -> None:
        """A whole answer. `headers` are complete lines, each ended by CR LF."""
        ...

    def start_stream(self, status: int, headers: bytes) -> None:
        """Status and headers of an answer whose length is not known."""
        ...

    def write(self, data: bytes) -> None: ...

    def finish_stream(self, data: bytes) -> None:
        """The last bytes (b"" for none) and the proper end."""
        ...

    def abort(self) -> None:
        """Break the connection, so that what was sent cannot look complete."""
        ...


class FailureKind(StrEnum):
    """How an attempt at an upstream failed."""

    SATURATED = "saturated"
    RESOLVE = "resolve"
    REFUSED = "refused"  # its name leads to where nobody but the operator may send requests
    CONNECT = "connect"
    STALE = "stale"  # a pooled connection found dead before any response byte
    NO_ANSWER = "no_answer"  # fully sent, connection ended before any response byte
    SEND = "send"  # ended before the request was fully sent
    BROKEN = "broken"  # not HTTP, or ended inside the answer
    TOO_LARGE = "too_large"
    TIMEOUT = "timeout"
    UNWANTED = "unwanted"  # the client went before the request was sent
    SHUTDOWN = "shutdown"


@dataclass(frozen=True, slots=True)
class Failure:
    """`may_have_billed`: the request was fully sent, so the upstream may charge for it. `detail` is for logs."""

    kind: FailureKind
    detail: str
    may_have_billed: bool


class ReplySink(Protocol):
    """Takes an upstream's answer as it arrives. After `whole_arrived`, `ended` or `failed` nothing more comes.

    `wanted`: somebody waits for the answer; asked once more before the request is sent."""

    @property
    def wanted(self) -> bool: ...

    def whole_arrived(self, head: AnswerHead, body: bytes) -> None:
        """All of it in one piece."""
        ...

    def head_arrived(self, head: AnswerHead) -> None: ...

    def body_arrived(self, data: bytes) -> None: ...

    def ended(self) -> None: ...

    def failed(self, failure: Failure) -> None: ...


class UpstreamConnection(Protocol):
    """One exchange under way. The sink may move `deadline` (monotonic seconds) and say what it waits for."""

    deadline: float
    waiting_for: str

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def end_by(self, at: float) -> None:
        """Whatever is awaited now or next, until the answer's head is there, must not last longer than that."""
        ...

    def abandon(self) -> None:
        """Close at once; the sink hears nothing more."""
        ...


class UpstreamClient(Protocol):
    """Sends requests; the answer goes to the sink, its headers within `headers_s` seconds."""

    def send_kept(
        self, upstream: Upstream, head: bytes, body: bytes, sink: ReplySink, headers_s: float
    ) -> UpstreamConnection | None:
        """Over a pooled connection; None when there is none."""
        ...

    async def send_fresh(
        self, upstream: Upstream, head: bytes, body: bytes, sink: ReplySink, headers_s: float
    ) -> UpstreamConnection | Failure:
        """Over a new connection."""
        ...


def nobody(_: str) -> frozenset[str]:
    """Who serves a model, where the answer makes no difference."""
    return frozenset()


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a stage or closer may touch besides the exchange. What is made from the preset is made once."""

    settings: Settings
    promotions: Promotions
    deadlines: Deadlines
    behind_proxy: Callable[[Mapping[bytes, bytes]], str | None]  # headers of a trusted proxy → the client's address
    authenticator: Authenticator
    funds: Funds
    claims: Claims
    contexts: Contexts
    auto_models: AutoModels
    classification: Classification
    anon_id_key: bytes
    catalog: Callable[[], CatalogSnapshot]
    upstreams: Mapping[str, Upstream]
    precedence: Precedence
    split: TrafficSplit | None  # None: there is none, or its second provider is not configured
    user_hashes: UserHashes
    rulebook: Rulebook
    stream_comment: str  # instead of an upstream's, where that stays out of sight
    client: UpstreamClient
    retry_budget: RetryBudget
    breakers: Breakers
    slots: Slots
    free: FreeUses
    drains: Drains
    origins: Origins
    relays: OpenRelays
    metrics: Metrics
    request_log: RequestLog
    api_metrics: MetricFeed | None = None  # None: nobody keeps records of requests
    transcripts: Transcripts | None = None  # None: nobody's requests are kept
    abuse: AbuseChecks | None = None  # None: nobody judges them
    loop: asyncio.AbstractEventLoop | None = None  # the worker's; asking for the running one costs a system call
    serving: Callable[[str], frozenset[str]] = nobody  # model → inference providers whose namespaces allow it
