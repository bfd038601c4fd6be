"""The events of `tollway run --format json`: one JSON object per line. Source: catalog-and-clients D.4.7."""

from typing import Any, Final

from msgspec.json import Encoder

from tollway.client.spending import Spent

_encode: Final = Encoder(decimal_format="number").encode


def event(kind: str, **members: Any) -> str:
    """One line, without its end."""
    return _encode({"type": kind, **members}).decode()


def step_finish(reason: str, spent: Spent, output_tokens_min: int | None = None) -> str:
    """`cost` is USD with the digits it was said with, null when it is unknown; `cost_source` says who said it. `tokens`
    is null when nothing was said. output_tokens_min: what came of an answer that nobody counted."""
    tokens = spent.tokens and {
        "total": spent.tokens.total,
        "input": spent.tokens.input,
        "output": spent.tokens.output,
        "reasoning": spent.tokens.reasoning,
        "cache": {"read": spent.tokens.cache_read, "write": spent.tokens.cache_write},
    }
    counted = {} if output_tokens_min is None else {"output_tokens_min": output_tokens_min}
    return event("step_finish", reason=reason, cost=spent.cost, cost_source=spent.source, tokens=tokens, **counted)
