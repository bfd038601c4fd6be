"""Lookups after the answer, in OpenRouter's shape."""

import json

from tollway.sim.generation import encode_generation
from tollway.sim.record import AnswerRecord

ANSWER = AnswerRecord(
    id="gen-1",
    time=0.5,
    x_request_id=None,
    model="m",
    streamed=True,
    status=200,
    ending="client_gone",
    finish_reason=None,
    prompt_tokens=9,
    cached_tokens=4,
    completion_tokens=5,
    reasoning_tokens=2,
    cost="0.00001234567890123456789",
    reported_usage=None,
    latency_ms=1.5,
    generation_ms=2.5,
)


def test_every_field() -> None:
    body = encode_generation(ANSWER)
    data = json.loads(body, parse_float=str)["data"]
    assert data.keys() >= {
        *("id", "total_cost", "upstream_inference_cost", "cache_discount", "is_byok", "native_tokens_cached"),
        *("native_tokens_cache_creation", "moderation_latency", "provider_name", "upstream_id", "usage", "latency"),
    }
    assert (data["native_tokens_prompt"], data["native_tokens_completion"], data["native_tokens_reasoning"]) == (
        9,
        5,
        2,
    )
    assert (data["total_cost"], data["cancelled"], data["streamed"]) == (ANSWER.cost, True, True)
    assert data["created_at"] == "1970-01-01T00:00:00.500000+00:00"
