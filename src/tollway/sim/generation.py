"""`GET /generation?id=`: what OpenRouter tells about an answer afterwards, from the record."""

from datetime import UTC, datetime

import msgspec

from tollway.sim.answer import PROVIDER_NAME
from tollway.sim.record import AnswerRecord


def encode_generation(answer: AnswerRecord) -> bytes:
    """The body of a lookup; cost and tokens are the recorded truth, whatever the answer's own usage claimed."""
    cost = msgspec.Raw(answer.cost.encode())
    data = {
        "id": answer.id,
        "total_cost": cost,
        "upstream_inference_cost": cost,
        "cache_discount": None,
        "is_byok": False,
        "tokens_prompt": answer.prompt_tokens,
        "tokens_completion": answer.completion_tokens,
        "native_tokens_prompt": answer.prompt_tokens,
        "native_tokens_completion": answer.completion_tokens,
        "native_tokens_reasoning": answer.reasoning_tokens,
        "native_tokens_cached": answer.cached_tokens,
        "native_tokens_cache_creation": 0,
        "finish_reason": answer.finish_reason,
        "native_finish_reason": answer.finish_reason,
        "latency": answer.latency_ms,
        "moderation_latency": None,
        "generation_time": answer.generation_ms,
        "cancelled": answer.ending == "client_gone",
        "streamed": answer.streamed,
        "provider_name": PROVIDER_NAME,
        "model": answer.model,
        "upstream_id": f"upstream-{answer.id}",
        "created_at": datetime.fromtimestamp(answer.time, UTC).isoformat(),
        "usage": cost,
    }
    return msgspec.json.encode({"data": data})
