"""The quick reader of ordinary answers agrees with the one that reads anything."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tollway.wire.answer import read_answer, read_any_answer
from tollway.wire.ordinary import read_ordinary

_WEIRD = (
    st.none() | st.booleans() | st.integers(-5, 10**13) | st.floats(0, 5) | st.just("") | st.just("a\0b") | st.just([])
)
_LABELS = st.sampled_from(["gen-1", "x" * 501, "é"]) | _WEIRD
_COUNTS = st.integers(0, 10**12) | _WEIRD
_COSTS = st.sampled_from([0.1, 1e-7, 0.00078, 0, 12, 1e12]) | _WEIRD


def _objects(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({}, optional=fields) | _WEIRD


_USAGES = _objects(
    prompt_tokens=_COUNTS,
    completion_tokens=_COUNTS,
    prompt_tokens_details=_objects(
        cached_tokens=_COUNTS, cache_write_tokens=_COUNTS, cache_creation_input_tokens=_COUNTS
    ),
    completion_tokens_details=_objects(reasoning_tokens=_COUNTS),
    cost=_COSTS,
    cost_details=_objects(upstream_inference_cost=_COSTS),
    is_byok=st.booleans() | _WEIRD,
)
_TEXTS = st.sampled_from(["", "Hé", "😀"]) | _WEIRD
_MESSAGES = _objects(
    content=_TEXTS,
    refusal=_TEXTS,
    reasoning=_TEXTS,
    reasoning_content=_TEXTS,
    reasoning_details=st.just([{"type": "reasoning.text"}]) | _WEIRD,
    tool_calls=st.just([{"function": {"arguments": "{}"}}]) | _WEIRD,
    audio=st.just({"id": "a"}) | _WEIRD,
    provider_metadata=st.just({"gateway": {"routing": {"finalProvider": "p"}}}) | _WEIRD,
)
_CHOICES = st.lists(_objects(message=_MESSAGES, finish_reason=_LABELS, text=_TEXTS), max_size=2) | _WEIRD
_ANSWERS = _objects(id=_LABELS, model=_LABELS, provider=_LABELS, choices=_CHOICES, usage=_USAGES, error=_TEXTS)


@given(_ANSWERS)
def test_both_readers_agree(answer: Any) -> None:
    body = json.dumps(answer).encode()
    assert read_answer(body) == read_any_answer(body)


def test_what_most_upstreams_send_is_ordinary() -> None:
    message = {"role": "assistant", "content": "Hi", "refusal": None}
    usage = {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6, "cost": 0.00001}
    answer = {"id": "g", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    assert read_ordinary(json.dumps({**answer, "usage": usage}).encode()) is not None
