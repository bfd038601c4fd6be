"""Reply: how an upstream's answer ended, as far as anyone downstream needs to know."""

from msgspec import Struct

from tollway.gateway.services import Failure
from tollway.routing.plan import Candidate
from tollway.wire.usage import Usage


class AnswerFacts(Struct, frozen=True):
    """What the answer said about itself, from a stream or from one JSON body.

    `output_units` is the least number of tokens that were generated (events with output in a stream; None when the
    answer was one body), `text_bytes` the size of what was generated where it is known.
    """

    message_id: str | None = None
    model: str | None = None
    inference_provider: str | None = None
    finish_reason: str | None = None
    usage: Usage | None = None
    has_error: bool = False
    has_output: bool = False
    output_units: int | None = None
    text_bytes: int = 0


NO_FACTS = AnswerFacts()


class Reply(Struct, frozen=True):
    """The answer of one candidate, all but its last bytes already with the client.

    `streamed`: the client's answer was begun and `ending` holds its last bytes; otherwise `body` is the whole answer.
    `failure`: it broke off. `abandoned`: the client had gone and the rest was not waited for. `told_error`: the
    upstream reported its failure in an event of its own, so the client needs no other.
    """

    candidate: Candidate
    status: int
    facts: AnswerFacts
    streamed: bool = False
    body: bytes = b""
    ending: bytes = b""
    content_type: bytes = b"application/json"
    date: bytes = b""
    failure: Failure | None = None
    abandoned: bool = False
    told_error: bool = False
    retry_after_s: int | None = None

    @property
    def is_complete(self) -> bool:
        return self.failure is None and not self.abandoned
