"""One chat request being answered: what was sent so far, and the record line that comes of it."""

from dataclasses import dataclass

from tollway.sim.answer import Draft
from tollway.sim.control import Fault
from tollway.sim.models import Tally, list_price, price_text
from tollway.sim.record import AnswerRecord


@dataclass(slots=True)
class Turn:
    """Counts what is sent. `draft` is None if the request was refused; times are seconds since 1970."""

    id: str
    started_at: float
    x_request_id: str | None
    model: str
    streamed: bool
    status: int = 200
    draft: Draft | None = None
    sent_at: float | None = None
    sent_anything: bool = False
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    reported_usage: str | None = None
    ended: bool = False

    def end(self, ending: str, now: float) -> AnswerRecord:
        """The record of this answer. A prompt of which nothing was answered costs nothing."""
        self.ended = True
        tally, cost = Tally(), "0"
        if self.draft is not None and self.sent_anything:
            tally = self.draft.tally(self.completion_tokens, self.reasoning_tokens)
            cost = price_text(list_price(self.draft.model, tally))
        return AnswerRecord(
            id=self.id,
            time=now,
            x_request_id=self.x_request_id,
            model=self.model,
            streamed=self.streamed,
            status=self.status,
            ending=ending,
            finish_reason=self._finish_reason(ending),
            prompt_tokens=tally.prompt,
            cached_tokens=tally.cached,
            completion_tokens=tally.completion,
            reasoning_tokens=tally.reasoning,
            cost=cost,
            reported_usage=self.reported_usage,
            latency_ms=round(((self.sent_at or now) - self.started_at) * 1000, 3),
            generation_ms=round((now - self.started_at) * 1000, 3),
        )

    def _finish_reason(self, ending: str) -> str | None:
        if ending == Fault.ERROR_EVENT:
            return "error"
        if ending != "complete" or self.draft is None or self.draft.control.fault is Fault.EMPTY:
            return None
        return self.draft.script.finish_reason
