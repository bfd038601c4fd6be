"""Notices on their way: Tollway's own are acted upon, the others are told to a webhook. Beside the requests.

At least once: who is told finds the notice's id in it. A notice that cannot be told is tried again, ever more seldom,
and given up at last. Source: response-path 6.10, 6.17, 7.4.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from msgspec.json import Encoder

from tollway.billing.notices import ATTEMPTS_MAX, Notice, NoticeKind, Notices
from tollway.billing.subscriptions import Issued, Subscriptions
from tollway.catalog.preset import SubscriptionRules
from tollway.observability.logs import get_log

BATCH_MAX: Final = 50

Tell = Callable[[bytes], Awaitable[str]]  # JSON → why it was not taken, "" when it was

_encode: Final = Encoder(order="deterministic").encode
_log = get_log()


async def handle_notices(
    notices: Notices, subscriptions: Subscriptions, rules: SubscriptionRules, tell: Tell | None
) -> int:
    """Handle what is due and return how many that were. `tell`: None when nobody is to be told. Raises
    StoreUnavailableError; what is not handled by then comes again."""
    taken = await notices.take(BATCH_MAX)
    for notice in taken:
        if notice.kind == NoticeKind.BONUS_DUE:
            await _issue_bonus(notice, subscriptions, rules)
        elif not await _told(notice, tell):
            continue
        await notices.forget(notice.id)
    return len(taken)


async def _issue_bonus(notice: Notice, subscriptions: Subscriptions, rules: SubscriptionRules) -> None:
    """A failure is noted in the books, and tried again with the subscriber's next request that costs something."""
    issued = await subscriptions.issue_bonus(notice.payload["user_id"], rules)
    if issued is Issued.FAILED:
        _log.error("bonus_failed", user=notice.payload["user_id"])


async def _told(notice: Notice, tell: Tell | None) -> bool:
    """Whether the notice is over: told, for nobody, or given up."""
    if tell is None:
        _log.info("notice_for_nobody", kind=notice.kind, **_fields(notice))
        return True
    why = await tell(_encode({"id": notice.id, "type": notice.kind, "data": notice.payload}))
    if not why:
        return True
    if notice.attempts < ATTEMPTS_MAX:
        _log.warning("notice_postponed", kind=notice.kind, why=why)
        return False
    _log.error("notice_given_up", kind=notice.kind, why=why, **_fields(notice))
    return True


def _fields(notice: Notice) -> dict[str, Any]:
    """Of the payload, without addresses of people."""
    return {name: value for name, value in notice.payload.items() if name != "recipients"}
