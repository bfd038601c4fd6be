"""The ports a stage may use. Implementations live at the edges and are put together in `app.py`."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from tollway.billing.store import Claims
from tollway.catalog.classification import Classification
from tollway.catalog.snapshot import CatalogSnapshot
from tollway.deadlines import Deadlines
from tollway.errors import Problem
from tollway.gateway.abuse_checks import AbuseChecks
from tollway.gateway.context import Contexts
from tollway.gateway.dialects import Dialects
from tollway.gateway.drains import Drains
from tollway.gateway.early_lookups import EarlyLookups
from tollway.gateway.free_use import FreeUses
from tollway.gateway.funds import Funds
from tollway.gateway.logins import Logins
from tollway.gateway.open_relays import OpenRelays
from tollway.gateway.origins import Origins
from tollway.gateway.slots import Slots
from tollway.gateway.transcripts import Transcripts
from tollway.gateway.upstream_port import UpstreamClient
from tollway.identity.authenticator import Authenticator
from tollway.identity.promotions import Promotions
from tollway.limits.memory import Memory
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

    @property
    def takes_chunks(self) -> bool:
        """Whether what is written to it goes out as chunks, and unchanged: then `write_chunk` may be called."""
        ...

    def write_chunk(self, data: bytes) -> None:
        """Exactly one chunk, with its size and line ends."""
        ...

    def finish_stream(self, data: bytes) -> None:
        """The last bytes (b"" for none) and the proper end."""
        ...

    def break_off(self, problem: Problem, request_id: str) -> None:
        """The end of a stream that did not finish: one honest error event, and no [DONE]."""
        ...

    def abort(self) -> None:
        """Break the connection, so that what was sent cannot look complete."""
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
    logins: Logins
    funds: Funds
    claims: Claims
    contexts: Contexts
    auto_models: AutoModels
    classification: Classification
    anon_id_key: bytes
    catalog: Callable[[], CatalogSnapshot]
    upstreams: Mapping[str, Upstream]
    hosted_upstreams: Mapping[str, Upstream]  # the same, as models reach them that the operator hosts there
    precedence: Precedence
    split: TrafficSplit | None  # None: there is none, or its second provider is not configured
    user_hashes: UserHashes
    rulebook: Rulebook
    dialects: Dialects
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
    early_lookups: EarlyLookups | None = None  # None: records are asked for once a minute alone
    abuse: AbuseChecks | None = None  # None: nobody judges them
    loop: asyncio.AbstractEventLoop | None = None  # the worker's; asking for the running one costs a system call
    memory: Memory = field(default_factory=Memory)  # without a limit, if nothing else is said
    serving: Callable[[str], frozenset[str]] = nobody  # model → inference providers whose namespaces allow it
