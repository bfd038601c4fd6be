"""Usage: token counts and cost as an upstream reports them, or nothing when what it reports is not usable."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of one answer; `cached_tokens` and `cache_write_tokens` are parts of `prompt_tokens`,
    `reasoning_tokens` of `completion_tokens`. Costs are USD, exactly as written by the upstream; None: not written."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: Decimal | None = None
    upstream_cost_usd: Decimal | None = None
    is_byok: bool | None = None


NO_USAGE: Final = Usage(0, 0)
