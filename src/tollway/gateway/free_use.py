"""What the stages about free use share: the ports they use, and how a full window is told to the caller."""

from dataclasses import dataclass

from tollway.errors import Code, Problem, Quota
from tollway.limits.rules import Window
from tollway.limits.store import FreeUseLog, Full, Windows


@dataclass(frozen=True, slots=True)
class FreeUses:
    """`secret` makes the names that stand for addresses; `promotion_text` is what those are told who must sign in."""

    windows: Windows
    log: FreeUseLog
    secret: bytes
    promotion_text: str


def refusal(full: Full, promotion_text: str) -> Problem:
    """429 for the hosted window; 401 for the promotion window, because existing clients ask people to sign in then."""
    if full.rule.window is Window.PROMOTION:
        return Problem(Code.PROMOTION_LIMIT_REACHED, shown=promotion_text)
    seconds = -(-full.frees_in_ms // 1000)
    return Problem(Code.FREE_LIMIT_REACHED, retry_after_s=seconds, quota=Quota(full.rule.most, seconds))
