"""Token counts as Anthropic reports them ⇄ ours. Source: response-path 5.11."""

from typing import Final

from tollway.wire.json_body import JsonObject, JsonValue
from tollway.wire.usage import TOKENS_MAX, Usage

INPUT: Final = "input_tokens"
OUTPUT: Final = "output_tokens"
CACHE_READ: Final = "cache_read_input_tokens"
CACHE_WRITE: Final = "cache_creation_input_tokens"

_COUNTS: Final = (INPUT, OUTPUT, CACHE_READ, CACHE_WRITE)


class AnthropicUsage:
    """Folds the usage objects of one answer: a later one overwrites what it repeats."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[str, int | None] = {}  # None: reported, and no count

    def read(self, usage: JsonValue) -> None:
        """usage: a `usage` object; anything else reports nothing."""
        if not isinstance(usage, dict):
            return
        self._counts.update({name: _count(usage[name]) for name in _COUNTS if usage.get(name) is not None})
        iterations = usage.get("iterations")
        if isinstance(iterations, list) and iterations:
            for name in (INPUT, OUTPUT):
                self._counts[name] = _sum(iterations, name)

    @property
    def usage(self) -> Usage | None:
        """None when nothing was reported, or a count of input or output that is none (guarantees M3)."""
        counts = self._counts
        read, written = counts.get(CACHE_READ) or 0, counts.get(CACHE_WRITE) or 0
        given, made = counts.get(INPUT, 0), counts.get(OUTPUT, 0)
        if not counts or given is None or made is None:
            return None
        return Usage(given + written + read, made, read, written)


def anthropic_usage(usage: Usage) -> JsonObject:
    """Our counts as Anthropic writes them: input is what was neither read from the cache nor written to it."""
    return {
        INPUT: max(0, usage.prompt_tokens - usage.cached_tokens - usage.cache_write_tokens),
        CACHE_WRITE: usage.cache_write_tokens,
        CACHE_READ: usage.cached_tokens,
        OUTPUT: usage.completion_tokens,
    }


def _sum(iterations: list[JsonValue], name: str) -> int | None:
    total = 0
    for one in iterations:
        count = _count(one.get(name, 0)) if isinstance(one, dict) else None
        if count is None:
            return None
        total += count
    return total


def _count(value: JsonValue) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= TOKENS_MAX else None
