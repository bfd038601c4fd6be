"""The upstream's own record of an answer that did not say what it cost, asked for right after the answer's end.

Beside everything else: neither client nor settlement waits for it. Until the record is known the charge is the
estimate; what is not learned here is left to reconciliation, which asks once a minute (guarantees M8), unless the
upstream has refused to tell: then it stays.
Source: response-path 6.5.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Final

from msgspec import Struct

from tollway.billing.ledger import Outcome
from tollway.billing.reconciliation import is_to_be_looked_up
from tollway.billing.store import Corrections, StoreUnavailableError, UncertainRow
from tollway.gateway.abuse_checks import Start
from tollway.gateway.lookups import Fetch, FindPrice, correct_by_record, is_refusal, question
from tollway.gateway.upstream_port import Failure
from tollway.observability.logs import get_log
from tollway.providers.registry import Upstream

FIRST_WAIT_S: Final = 0.2
FIRST_PAUSE_S: Final = 0.2
GROWTH: Final = 1.5
JITTER: Final = 0.1  # of the first pause, from end to end
AT_ONCE_MAX: Final = 100  # beyond that they are left to reconciliation
BOOKED_LOOKS_MAX: Final = 20  # for the row that is to be corrected, which the next settlement writes
BOOKED_PAUSE_S: Final = 0.2

_log = get_log()


class Pace(Struct, frozen=True):
    """`now`: monotonic seconds. `roll`: from 0 to 1, at random. `total_s`: from the first question on."""

    total_s: float
    now: Callable[[], float]
    sleep: Callable[[float], Awaitable[object]]
    roll: Callable[[], float]


class EarlyLookups:
    """`start` runs work beside. One event loop only."""

    def __init__(
        self,
        corrections: Corrections,
        upstreams: Mapping[str, Upstream],
        find_price: FindPrice,
        fetch: Fetch,
        pace: Pace,
        start: Start,
    ) -> None:
        self._corrections = corrections
        self._asked = {name: upstream for name, upstream in upstreams.items() if upstream.lookup_head}
        self._find_price = find_price
        self._fetch = fetch
        self._pace = pace
        self._start = start
        self._open: set[asyncio.Task[None]] = set()

    def begin(self, outcome: Outcome) -> None:
        """Ask about one that has ended, if there is something to ask and somebody who knows."""
        upstream = self._asked.get(outcome.record.provider_id)
        if upstream is None or not is_to_be_looked_up(outcome) or len(self._open) >= AT_ONCE_MAX:
            return
        request_id, message_id = outcome.hold.request_id, outcome.record.message_id or ""
        task = self._start(lambda: self._look_up(upstream, request_id, message_id))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    def stop(self) -> None:
        """Ask no more; what is not known then is left to reconciliation."""
        for task in tuple(self._open):
            task.cancel()

    async def _look_up(self, upstream: Upstream, request_id: str, message_id: str) -> None:
        await self._pace.sleep(FIRST_WAIT_S)
        answer = await self._ask(upstream, question(upstream, message_id))
        if isinstance(answer, Failure) or answer[0] != HTTPStatus.OK:
            why = f"{answer.kind}: {answer.detail}" if isinstance(answer, Failure) else f"status {answer[0]}"
            _log.info("record_not_found", request_id=request_id, upstream=upstream.id, why=why)
        if isinstance(answer, Failure) or not (answer[0] == HTTPStatus.OK or is_refusal(answer[0])):
            return
        try:
            await self._note(upstream, request_id, *answer)
        except StoreUnavailableError as error:
            _log.info("record_not_booked", request_id=request_id, upstream=upstream.id, why=str(error))

    async def _ask(self, upstream: Upstream, head: bytes) -> tuple[int, bytes] | Failure:
        """The last answer: the first one that would not become another, or that of when the time is up."""
        pace = self._pace
        pause, began = first_pause_s(pace.roll()), pace.now()
        while True:
            answer = await self._fetch(upstream, head)
            if not may_change(answer) or pace.now() - began > pace.total_s - pause:
                return answer
            await pace.sleep(pause)
            pause *= GROWTH

    async def _note(self, upstream: Upstream, request_id: str, status: int, body: bytes) -> None:
        """A record or a refusal."""
        row = await self._find(request_id)
        if row is None:
            return
        if status == HTTPStatus.OK:
            await correct_by_record(self._corrections, upstream, row, body, self._find_price)
        else:
            await self._corrections.note_lookup_failed(request_id, is_refused=True)

    async def _find(self, request_id: str) -> UncertainRow | None:
        for _ in range(BOOKED_LOOKS_MAX):
            row = await self._corrections.find_uncertain(request_id)
            if row is not None:
                return row
            await self._pace.sleep(BOOKED_PAUSE_S)
        return None


def may_change(answer: tuple[int, bytes] | Failure) -> bool:
    """Whether it is worth asking again: the record is not there yet, or the upstream could not answer. Any other 4xx
    says that the question is wrong, or the key, and so would it the next time."""
    if isinstance(answer, Failure):
        return True
    return answer[0] == HTTPStatus.NOT_FOUND or answer[0] >= HTTPStatus.INTERNAL_SERVER_ERROR


def first_pause_s(roll: float) -> float:
    """Between the first two questions; each further pause is GROWTH times the one before."""
    return FIRST_PAUSE_S * (1 + (roll - 0.5) * JITTER)
