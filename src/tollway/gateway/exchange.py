"""Exchange: what is known about one request so far.

Each part is its own frozen value, given once by one stage; only the runner in `pipeline.py` puts it here. (A frozen
Exchange copied by every stage costs 2 µs a copy, a tenth of the whole budget: docs/adr/0006.) Reading a part too early
raises MissingPartError, which is a bug and never a refusal; what every closer must know is empty at first instead.
"""

from datetime import datetime
from typing import Final

from msgspec import Struct, field

from tollway.billing.ledger import Hold, Outcome
from tollway.billing.particulars import Particulars
from tollway.catalog.classification import ModelKind
from tollway.catalog.model import Model
from tollway.errors import Problem
from tollway.gateway.abuse_checks import Inquiry
from tollway.gateway.client_dialects import ClientDialect
from tollway.gateway.context import Context
from tollway.gateway.reply import Reply
from tollway.gateway.services import Client
from tollway.identity.authenticator import Kept
from tollway.identity.bearer import read_bearer
from tollway.identity.caller import Caller
from tollway.routing.plan import Plan
from tollway.routing.precedence import OwnRoute
from tollway.wire.chat import ChatRequest

# What reading a slot raises that no stage has filled. A __getattr__ with an error of our own would make Python look up
# every attribute the slow way, those that are there included: some hundred times for each request.
MissingPartError: Final = AttributeError


class HeadNotes(Struct, eq=False):
    """What was found out about a request's head. A client that stays sends the same one again, so it is kept for the
    next requests of its connection."""

    context: Context | None = None
    kept: Kept | None = None  # about the credential


class Inbound(Struct, frozen=True):
    """The request as it came in. Header names are lower-cased; `query` includes its `?`.

    `drop_in`: it came by one of the two prefixes whose error bodies are historic. `peer`: the TCP address, canonical;
    "" when there is none. `by_proxy`: the peer is a trusted proxy, so what it says of the client in headers counts.
    `dialect`: what the client speaks; None: Chat Completions.
    """

    path: str
    query: bytes
    headers: dict[bytes, bytes]
    body: bytes
    peer: str
    drop_in: bool
    by_proxy: bool = False
    notes: HeadNotes = field(default_factory=HeadNotes)
    dialect: ClientDialect | None = None

    @property
    def credential(self) -> str:
        """What the client shows to be known by; "" for nothing."""
        shown = read_bearer(self.headers.get(b"authorization", b""))
        return shown or ("" if self.dialect is None else self.dialect.credential(self.headers))


class Exchange:
    """One request from its first byte to the end of its answer."""

    __slots__ = (
        "address",
        "asked",
        "attempts",
        "caller",
        "claim",
        "client",
        "context",
        "counted",
        "hold",
        "id",
        "inbound",
        "inquiry",
        "is_logged",
        "kind",
        "known",
        "model",
        "outcome",
        "own",
        "particulars",
        "place",
        "plan",
        "prepared",
        "problem",
        "prompt_text_bytes",
        "provider_config",
        "received_at",
        "reply",
        "request",
        "started",
    )

    id: str
    inbound: Inbound
    client: Client
    received_at: datetime
    started: float  # monotonic seconds
    # parts, in the order in which stages give them
    asked: ChatRequest  # as the caller sent it
    address: str  # of the client, canonical
    context: Context
    request: ChatRequest  # the same, or for an auto model the one for the model it stands for
    kind: ModelKind
    place: str  # under which name a place for a hosted free model is held; "" for other models
    known: Caller | None  # None: without a usable credential
    caller: Caller  # who it is then: anonymous, if that may be
    counted: tuple[str, ...]  # the concurrency slots taken, given back at the end
    is_logged: bool  # the place has become an entry
    own: OwnRoute | None  # a way of the caller's own to the model
    model: Model
    plan: Plan
    inquiry: Inquiry | None  # what the abuse service was asked; None: nothing
    provider_config: dict[str, object] | None  # replaces the caller's `provider`; None leaves it
    claim: str  # the Idempotency-Key; "" for none
    hold: Hold | None  # None: nobody pays
    prepared: dict[str, object]
    particulars: Particulars  # what is stored of it besides money
    reply: Reply | None  # None: no upstream was called
    # the end
    attempts: list[str]  # what was tried, for the log
    prompt_text_bytes: int | None  # of the request, once somebody needed to know
    problem: Problem | None
    outcome: Outcome | None

    def __init__(self, id_: str, inbound: Inbound, client: Client, received_at: datetime, started: float) -> None:
        self.id = id_
        self.inbound = inbound
        self.client = client
        self.received_at = received_at
        self.started = started
        self.place = self.claim = ""
        self.counted = ()
        self.is_logged = False
        self.hold = self.reply = None
        self.attempts = []
        self.prompt_text_bytes = None
        self.problem = None
        self.outcome = None

    def has(self, part: str) -> bool:
        """Whether a stage has given `part`."""
        return hasattr(self, part)
