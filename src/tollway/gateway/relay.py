"""Upstream bytes → client bytes, with the usage tap beside them. No task, queue or JSON parse per chunk.

A stream is forwarded event by event as events complete; its last event is kept back in the Reply until the charge is
durable. Any other answer is collected (bounded) and handed over whole, so a broken one can still become a status.
"""

from collections.abc import Callable
from typing import Final

from tollway.deadlines import NEVER, Deadlines
from tollway.gateway.drains import Drains
from tollway.gateway.facts import facts_of_answer, facts_of_stream, facts_of_unseen
from tollway.gateway.reply import NO_FACTS, Reply
from tollway.gateway.services import Client
from tollway.gateway.upstream_port import Failure, FailureKind, UpstreamConnection
from tollway.routing.plan import Candidate
from tollway.settings import Limits, Timeouts
from tollway.steps import Later
from tollway.wire.answer import Answer, read_answer
from tollway.wire.answer_head import NO_HEAD, AnswerHead, headers_shown
from tollway.wire.frames import KEEP_ALIVE_COMMENT
from tollway.wire.scan import StreamScanner
from tollway.wire.upstream_error import with_shown_error, with_shown_errors

ERROR_BODY_BYTES_MAX: Final = 65_536
PROGRESS_BYTES: Final = 8_192
_AFTER_DONE_S: Final = 1.0  # a stream that said [DONE] may end its framing for this long, or its connection is closed


# How far the answer has come. Not an Enum: reading a member of one costs as much as a call (Python 3.11).
_HEAD, _STREAM, _COLLECT, _OVER = range(4)


class Relay:
    """One attempt: takes an upstream's answer (ReplySink), minds the client (ClientListener), ends in `finished`."""

    # What every relay begins with, kept on the class: an attribute that is not assigned costs nothing.
    deadline = NEVER  # of the keep-alive comment
    _connection: UpstreamConnection | None = None
    _state = _HEAD
    _head = NO_HEAD
    _head_at = 0.0
    _scanner: StreamScanner | None = None
    _collected_bytes = 0
    _started = False  # the client has the head of a stream
    _any_event = False
    _first_event_by = NEVER
    _told_error = False
    _last_write = 0.0
    _ends_at = NEVER  # absolute end of the whole answer
    _draining = False
    _paused = False
    _noted_bytes = 0  # of a stream, when its progress was last asked for
    _look_at_bytes = 1  # of a stream, when they are to be looked at
    _passes_chunks = False  # those of a stream may go on as they came
    _may_pass_chunks = True  # unless what the client gets is not what came

    def __init__(
        self,
        client: Client,
        candidate: Candidate,
        deadlines: Deadlines,
        limits: Limits,
        timeouts: Timeouts,
        drains: Drains,
        extra_headers: bytes,
        finished: Later[Reply],
        on_progress: Callable[["Relay", bool], None],
    ) -> None:
        """`on_progress(relay, is_much)` is called when something of a stream has passed since `news`, and once more
        when PROGRESS_BYTES have."""
        self.finished = finished
        self._on_progress = on_progress
        self._client = client
        self._pass_on: Callable[[bytes], None] = (
            client.write
        )  # events of a stream; a relay that rewrites them has its own way
        self._candidate = candidate
        self._deadlines = deadlines
        self._limits = limits
        self._timeouts = timeouts
        self._drains = drains
        self._extra_headers = extra_headers
        self._begun = deadlines.now()
        self._silence_s = timeouts.silence_s
        self._collected: list[bytes] = []

    # upstream → us

    @property
    def wanted(self) -> bool:
        return not self._client.gone

    def attach(self, connection: UpstreamConnection) -> None:
        """The request is on its way; from here on the client's leaving matters."""
        self._connection = connection
        if self._state == _OVER:  # it failed while being sent
            return
        self._client.listener = self
        if self._client.gone:
            self.client_gone()

    def whole_arrived(self, head: AnswerHead, body: bytes) -> None:
        if head.status < 300 and len(body) <= self._limits.upstream_body_bytes:  # the ordinary case
            self._head = head
            self._head_at = self._deadlines.now()
            self._finish_whole(body)
        else:
            self.head_arrived(head)
            self.body_arrived(body)
            self.ended()

    def head_arrived(self, head: AnswerHead) -> None:
        self._head = head
        self._head_at = now = self._deadlines.now()
        if head.is_stream:
            self._state = _STREAM
            self._scanner = StreamScanner(self._limits.upstream_line_bytes)
            self._end_by(self._begun + self._timeouts.stream_s)
            self._first_event_by = now + self._timeouts.first_event_s
            self._last_write = now
            self.deadline = now + self._timeouts.comment_s
            self._deadlines.watch(self)
        else:
            self._state = _COLLECT
            self._end_by(self._begun + self._timeouts.answer_s)
        self._wait_for_more()

    def body_arrived(self, data: bytes) -> None:
        if self._state == _STREAM and self._scanner:
            self._forward(self._scanner, data)
        elif self._state == _COLLECT:
            self._collect(data)

    def takes_chunk(self, data: bytes, begin: int) -> bool:
        scanner = self._scanner
        if not self._passes_chunks or scanner is None or not scanner.takes(data, begin, len(data) - 2):
            return False
        self._last_write = now = self._deadlines.now()
        self._client.write_chunk(data)
        self._go_on(scanner, now)
        return True

    def ended(self) -> None:
        if self._state == _COLLECT:
            self._finish_collected()
        elif self._state == _STREAM and self._scanner:
            scanner = self._scanner
            rest = scanner.close()
            if scanner.is_ended:
                if rest:
                    self._write(rest)
                self._finish()
            elif scanner.body_bytes:  # an error event follows, and must not become a part of half an event
                self._finish(Failure(FailureKind.BROKEN, "the stream ended without an ending", True))
            else:
                self._finish(Failure(FailureKind.EMPTY, "the stream ended without a beginning", True))
        elif self._state == _HEAD:
            self._finish(Failure(FailureKind.BROKEN, "ended without an answer", True))

    def failed(self, failure: Failure) -> None:
        if self._state != _OVER:
            self._finish(failure)

    # streams

    def _forward(self, scanner: StreamScanner, data: bytes) -> None:
        events = scanner.feed(data)
        now = self._deadlines.now()
        if events:
            if not self._any_event:
                self._any_event = True
                if not self._paused:
                    self._wait_for_more()
            self._last_write = now
            if self._started and not (scanner.has_error or self._draining):
                self._pass_on(events)
            else:
                self._write(events)
        if scanner.done:
            self._finish()
        elif scanner.too_long:
            self._break(FailureKind.TOO_LARGE, "an event is too long")
        else:
            self._go_on(scanner, now)

    def _go_on(self, scanner: StreamScanner, now: float) -> None:
        """More of the stream has come; this runs for every chunk."""
        if scanner.body_bytes >= self._look_at_bytes:
            self._look(scanner)
        if self._any_event and not self._paused and self._connection:
            until = now + self._silence_s
            self._connection.deadline = until if until < self._ends_at else self._ends_at

    def _look(self, scanner: StreamScanner) -> None:
        """The first bytes since `news` have passed, or PROGRESS_BYTES, or too many in all."""
        size, bytes_max = scanner.body_bytes, self._limits.upstream_stream_bytes
        much_at = self._noted_bytes + PROGRESS_BYTES
        if size > bytes_max:
            self._break(FailureKind.TOO_LARGE, "the stream is too long")
        else:
            self._look_at_bytes = min(much_at, bytes_max + 1) if size < much_at else bytes_max + 1
            self._on_progress(self, size >= much_at)

    def news(self) -> tuple[int, Answer] | None:
        """Status and what a stream has told, if more of it has passed since this was last asked."""
        scanner = self._scanner
        if scanner is None or scanner.body_bytes == self._noted_bytes:
            return None
        self._noted_bytes = scanner.body_bytes
        self._look_at_bytes = scanner.body_bytes + 1
        return self._head.status, facts_of_stream(scanner)

    def _write(self, data: bytes) -> None:
        if self._scanner and self._scanner.has_error:
            data, told = with_shown_errors(data)
            self._told_error = self._told_error or told
        if self._draining:
            return
        if not self._started:
            self._start()
        self._pass_on(data)

    def _start(self) -> None:
        self._started = True
        head = self._head
        lines = headers_shown(head.content_type, head.date, head.request_id) + self._extra_headers
        self._client.start_stream(head.status, lines)
        self._passes_chunks = self._may_pass_chunks and self._client.takes_chunks

    def expire(self, now: float) -> None:
        """Nothing was written for a while: show the client that the stream lives, between two events only."""
        self.deadline = self._last_write + self._timeouts.comment_s
        scanner = self._scanner
        if self.deadline > now or scanner is None:
            return
        self._last_write = now
        self.deadline = now + self._timeouts.comment_s
        if scanner.at_boundary and not self._paused:
            self._write(KEEP_ALIVE_COMMENT)

    # whole answers

    def _collect(self, data: bytes) -> None:
        self._collected_bytes += len(data)
        is_refusal = self._head.status >= 300
        if self._collected_bytes <= (ERROR_BODY_BYTES_MAX if is_refusal else self._limits.upstream_body_bytes):
            self._collected.append(data)
        elif is_refusal:
            self._finish_collected()  # the start of an error text is enough
            self._abandon()
        else:
            self._break(FailureKind.TOO_LARGE, "the answer is too large")

    def _finish_collected(self) -> None:
        self._finish_whole(b"".join(self._collected))

    def _finish_whole(self, body: bytes) -> None:
        answer, status = read_answer(body), self._head.status
        if status < 300 and not answer.is_json:
            self._finish(Failure(FailureKind.BROKEN, "the answer is not JSON", True), facts_of_unseen(answer))
        else:
            shown = with_shown_error(body) if answer.has_error and status < 300 else body
            self._finish(facts=facts_of_answer(answer, status), body=shown)

    # the client

    def client_gone(self) -> None:
        """Read on without a client, unless the upstream stops billing when it is left (guarantees M6)."""
        if self._state == _OVER or self._draining:
            return
        self._client.listener = None
        if self._candidate.upstream.provider.stops_billing_on_abort or not self._drains.take():
            self._abandon()
            self._finish(abandoned=True)
            return
        self._draining = True
        self._passes_chunks = False
        self.deadline = NEVER
        self._end_by(self._deadlines.now() + self._timeouts.drain_s)
        self.client_resumed()

    def client_paused(self) -> None:
        if self._connection and not self._draining:
            self._paused = True
            self._connection.pause_reading()
            if self._state == _STREAM:
                self._wait(self._ends_at, "the client")

    def client_resumed(self) -> None:
        if self._connection:
            self._paused = False
            self._connection.resume_reading()
            self._wait_for_more()

    def shut_down(self) -> None:
        """The worker ends before this answer does."""
        if self._state != _OVER:
            self._break(FailureKind.SHUTDOWN, "the server is shutting down")

    # endings

    def _end_by(self, at: float) -> None:
        if at < self._ends_at:
            self._ends_at = at

    def _wait_for_more(self) -> None:
        """Until when the next bytes must be here, given how far the answer has come."""
        if self._state == _HEAD and self._connection:
            self._connection.end_by(self._ends_at)
        elif self._state == _COLLECT:
            self._wait(self._ends_at, "the answer's body")
        elif self._any_event:
            self._wait(self._deadlines.now() + self._silence_s, "more of the stream")
        else:
            self._wait(self._first_event_by, "the first event")

    def _wait(self, until: float, what: str) -> None:
        if self._connection:
            self._connection.deadline = until if until < self._ends_at else self._ends_at
            self._connection.waiting_for = what

    def _break(self, kind: FailureKind, detail: str) -> None:
        self._abandon()
        self._finish(Failure(kind, detail, True))

    def _abandon(self) -> None:
        if self._connection:
            self._connection.abandon()

    def _finish(
        self,
        failure: Failure | None = None,
        facts: Answer | None = None,
        body: bytes = b"",
        abandoned: bool = False,
    ) -> None:
        scanner = self._scanner
        if scanner:
            facts = facts_of_stream(scanner)
        elif facts is None and self._collected:
            facts = facts_of_unseen(read_answer(b"".join(self._collected)))
        if self._draining:
            self._drains.give_back()
        if self._client.listener is self:
            self._client.listener = None
        if scanner:
            self._deadlines.forget(self)
        self._state = _OVER
        if scanner and scanner.done and self._connection:
            self._connection.deadline = self._deadlines.now() + _AFTER_DONE_S
            self._connection.resume_reading()
        if not self.finished.done():
            self.finished.give(
                Reply(
                    candidate=self._candidate,
                    status=self._head.status,
                    facts=facts or NO_FACTS,
                    streamed=scanner is not None,
                    body=body,
                    ending=scanner.ending if scanner and not self._told_error else b"",
                    told_error=self._told_error,
                    content_type=self._head.content_type,
                    date=self._head.date,
                    failure=failure,
                    abandoned=abandoned,
                    retry_after_s=self._head.retry_after_s,
                    request_id=self._head.request_id,
                    head_at=self._head_at,
                )
            )
