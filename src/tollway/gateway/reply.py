"""Reply: how an upstream's answer ended, as far as anyone downstream needs to know."""

from typing import Final

from msgspec import Struct

from tollway.gateway.transcripts import Copy
from tollway.gateway.upstream_port import Failure, FailureKind
from tollway.routing.plan import Candidate
from tollway.wire.answer import Answer

NO_FACTS: Final = Answer()
_EMPTY: Final = FailureKind.EMPTY


class Reply(Struct, frozen=True):
    """The answer of one candidate, all but its last bytes already with the client.

    `streamed`: the client's answer was begun and `ending` holds its last bytes; otherwise `body` is the whole answer.
    `failure`: it broke off. `abandoned`: the client had gone and the rest was not waited for. `told_error`: the
    upstream reported its failure in an event of its own, so the client needs no other. `request_id`: the upstream's.
    `sent_body`: what was sent, of a refusal by a hosted model's upstream. `head_at`: when the upstream's status
    arrived, monotonic seconds; 0 for never. `copy`: what was sent and came back, where somebody keeps that.
    """

    candidate: Candidate
    status: int
    facts: Answer
    streamed: bool = False
    body: bytes = b""
    ending: bytes = b""
    content_type: bytes = b"application/json"
    date: bytes = b""
    failure: Failure | None = None
    abandoned: bool = False
    told_error: bool = False
    retry_after_s: int | None = None
    request_id: bytes = b""
    sent_body: bytes = b""
    head_at: float = 0.0
    copy: Copy | None = None

    @property
    def was_sent(self) -> bool:
        """An upstream has seen the whole request, so it may bill for it."""
        return self.status > 0 or self.abandoned or (self.failure is not None and self.failure.may_have_billed)

    @property
    def is_complete(self) -> bool:
        return self.failure is None and not self.abandoned

    @property
    def has_error(self) -> bool:
        """It broke off, or the upstream says in it that something went wrong: what its row tells.

        An empty stream did neither. It never looks complete to the client, who gets a status for it (guarantees S4);
        but what a row tells is the path page's to say, and there it is no error (response-path 6.2, V47).
        """
        return self.facts.has_error or self.abandoned or (self.failure is not None and not self.is_empty)

    @property
    def is_empty(self) -> bool:
        """A stream that ended as it should, without a single byte."""
        return self.failure is not None and self.failure.kind is _EMPTY
