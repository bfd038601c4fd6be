"""Questions to an abuse service, all beside the requests: what it thinks of one, and what one was worth.

Advisory: a verdict is logged and changes nothing. Whatever goes wrong, the request goes its way, and it is counted.
Source: response-path 11; guarantees §8.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, Protocol

from msgspec import Struct
from msgspec.structs import replace

from tollway.observability.logs import get_log
from tollway.observability.metrics import AbuseMetrics
from tollway.settings import AbuseSettings
from tollway.wire.abuse import Classify, CostReport, Verdict, encode_question, read_verdict, was_taken

Start = Callable[[Callable[[], Coroutine[Any, Any, None]]], "asyncio.Task[None]"]

_ALLOW: Final = "ALLOW"
_MASK: Final = "***"
_log = get_log()


class NoAnswer(Struct, frozen=True):
    """`kind`: one of a few words, for the metric. `detail` quotes nothing that the service said."""

    kind: str
    detail: str = ""


class AbuseService(Protocol):
    """Asks, within a bounded time. The answer's body, or why there is none."""

    def classify(self, body: bytes) -> Awaitable[bytes | NoAnswer]: ...

    def report_cost(self, body: bytes) -> Awaitable[bytes | NoAnswer]: ...


class Inquiry:
    """What the service was asked about one request, and what it said. `ended_at`: monotonic seconds, or None."""

    __slots__ = ("ended_at", "request_id", "task", "verdict")

    task: "asyncio.Task[None]"

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self.verdict: Verdict | None = None
        self.ended_at: float | None = None


class AbuseChecks:
    """`start` runs work beside and keeps hold of it; `now` gives monotonic seconds."""

    def __init__(
        self,
        settings: AbuseSettings,
        service: AbuseService,
        start: Start,
        now: Callable[[], float],
        metrics: AbuseMetrics,
    ) -> None:
        self.sends_prompts = settings.send_prompts
        self._settings = settings
        self._service = service
        self._start = start
        self._now = now
        self._metrics = metrics
        self._under_way = 0
        self._is_away = False

    def begin(self, request_id: str, question: Callable[[], Classify]) -> Inquiry | None:
        """Ask about a request, later and beside it. None: too many questions are under way, so it is not asked."""
        if not self._has_room():
            return None
        inquiry = Inquiry(request_id)
        inquiry.task = self._ask(lambda: self._classify(inquiry, question))
        return inquiry

    def end(self, inquiry: Inquiry, headers_at: float, report: CostReport | None) -> None:
        """The request has ended. `headers_at`: when the upstream's headers came; 0: never. `report`: what is to be
        told if there is a verdict that counts, its `request_id` still to be filled in; None: nothing."""
        count_until = (headers_at or self._now()) + self._settings.verdict_s
        if inquiry.ended_at is None:
            self._start(lambda: self._wait(inquiry, count_until, report))
        elif inquiry.ended_at <= count_until:
            self._tell(inquiry, report)

    async def _classify(self, inquiry: Inquiry, question: Callable[[], Classify]) -> None:
        try:
            asked = question()
            answer = await self._service.classify(encode_question(asked))
        finally:
            inquiry.ended_at = self._now()
        verdict = None if isinstance(answer, NoAnswer) else read_verdict(answer)
        if verdict is None:
            self._note_failure(answer if isinstance(answer, NoAnswer) else NoAnswer("garbage", "there is no verdict"))
            return
        self._note_success()
        inquiry.verdict = verdict
        self._log_verdict(inquiry.request_id, asked, verdict)

    async def _wait(self, inquiry: Inquiry, until: float, report: CostReport | None) -> None:
        """For as long as a verdict counts; a question that is open then is given up."""
        await asyncio.wait((inquiry.task,), timeout=max(0.0, until - self._now()))
        if inquiry.ended_at is None:
            inquiry.task.cancel()
            self._note_failure(NoAnswer("timeout", "no verdict in time"))
        else:
            self._tell(inquiry, report)

    def _tell(self, inquiry: Inquiry, report: CostReport | None) -> None:
        verdict = inquiry.verdict
        if report is None or verdict is None or not verdict.request_id:
            return
        if self._has_room():
            self._ask(lambda: self._report(replace(report, request_id=verdict.request_id)))

    async def _report(self, report: CostReport) -> None:
        answer = await self._service.report_cost(encode_question(report))
        if isinstance(answer, NoAnswer):
            self._note_failure(answer)
            return
        self._note_success()
        if was_taken(answer):
            self._metrics.reports.inc()
        else:
            _log.warning("abuse_cost_not_taken", abuse_request_id=report.request_id)

    def _ask(self, work: Callable[[], Coroutine[Any, Any, None]]) -> "asyncio.Task[None]":
        self._under_way += 1
        task = self._start(work)
        task.add_done_callback(self._one_less)
        return task

    def _one_less(self, _: "asyncio.Task[None]") -> None:
        self._under_way -= 1

    def _has_room(self) -> bool:
        if self._under_way < self._settings.in_flight:
            return True
        self._metrics.failures.labels(kind="busy").inc()
        return False

    def _log_verdict(self, request_id: str, asked: Classify, verdict: Verdict) -> None:
        self._metrics.verdicts.labels(verdict=verdict.verdict).inc()
        key = verdict.identity_key
        say = _log.info if verdict.verdict == _ALLOW else _log.warning
        say(
            "abuse_verdict",
            request_id=request_id,
            user=asked.kilo_user_id,
            verdict=verdict.verdict,
            risk_score=verdict.risk_score,
            signals=verdict.signals,
            identity_key=_MASK if key and asked.ip_address in key else key,  # addresses are in no log (guarantees P2)
            requests_per_second=verdict.requests_per_second,
            abuse_request_id=verdict.request_id,
        )

    def _note_failure(self, why: NoAnswer) -> None:
        self._metrics.failures.labels(kind=why.kind).inc()
        if not self._is_away:
            _log.warning("abuse_service_away", kind=why.kind, detail=why.detail)
        self._is_away = True

    def _note_success(self) -> None:
        if self._is_away:
            _log.info("abuse_service_back")
        self._is_away = False
