"""Random conversations of chat that the Responses API can hold, in the one spelling they have after a round trip."""

from typing import Any

from hypothesis import strategies as st

from tollway.wire.dialects.details import OPENAI

TEXTS = st.text(min_size=1, max_size=6)
PNG = "data:image/png;base64,iVBORw0KGgo="
PDF = "data:application/pdf;base64,JVBERi0="
PARTS = st.one_of(
    TEXTS.map(lambda text: {"type": "text", "text": text}),
    st.sampled_from(
        [
            {"type": "image_url", "image_url": {"url": PNG}},
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": PDF}},
            {"type": "file", "file": {"file_data": "https://example.com/a.pdf"}},
        ]
    ),
)
RESULTS = TEXTS | st.lists(
    TEXTS.map(lambda text: {"type": "text", "text": text}) | st.just({"type": "image_url", "image_url": {"url": PNG}}),
    min_size=2,
    max_size=3,
)
ARGUMENTS = st.sampled_from(["{}", '{"a": 1}', "{bad", ""])


@st.composite
def dialogues(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Turn by turn, with ids that occur once and results for all calls."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": text} for text in draw(st.lists(TEXTS, max_size=2))]
    for turn in range(draw(st.integers(1, 3))):
        messages.append({"role": "user", "content": draw(TEXTS | st.lists(PARTS, min_size=2, max_size=3))})
        said, calls, details = (draw(st.booleans()) for _ in range(3))
        message: dict[str, Any] = {"role": "assistant", "content": draw(TEXTS) if said else ""}
        if details:
            message["reasoning_details"] = draw(thoughts(turn))
        if calls:
            message["tool_calls"] = draw(tool_calls(turn))
            message["content"] = message["content"] or None
        if said or calls or details:
            messages.append(message)
        for call in message.get("tool_calls", ()):
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": draw(RESULTS)})
    return messages


@st.composite
def thoughts(draw: st.DrawFn, turn: int) -> list[dict[str, Any]]:
    """Of OpenAI: each item's texts and then its proof."""
    details: list[dict[str, Any]] = []
    for number, texts in enumerate(draw(st.lists(st.lists(TEXTS, min_size=1, max_size=2), min_size=1, max_size=2))):
        mark = {"id": f"rs_{turn}_{number}", "format": OPENAI}
        details += [{"type": "reasoning.text", "text": text, **mark} for text in texts]
        details.append({"type": "reasoning.encrypted", "data": "ENC", **mark})
    return [{**detail, "index": place} for place, detail in enumerate(details)]


@st.composite
def tool_calls(draw: st.DrawFn, turn: int) -> list[dict[str, Any]]:
    numbers = range(draw(st.integers(1, 2)))
    return [
        {
            "id": f"call_{turn}_{number}",
            "type": "function",
            "function": {"name": draw(st.sampled_from(["ls", "read"])), "arguments": draw(ARGUMENTS)},
        }
        for number in numbers
    ]


TOOLS = [
    {"type": "function", "function": {"name": "ls", "parameters": {"type": "object"}}},
    {"type": "function", "function": {"name": "read", "description": "Reads.", "parameters": {}, "strict": False}},
]
REQUESTS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"messages": dialogues(), "parallel_tool_calls": st.booleans()},
    optional={
        "stream": st.just(True),
        "max_completion_tokens": st.integers(1, 1000),
        "verbosity": st.sampled_from(["low", "medium", "high"]),
        "reasoning": st.sampled_from([{"effort": "none"}, {"effort": "xhigh"}]),
        "prompt_cache_key": TEXTS,
        "safety_identifier": TEXTS,
        "user": TEXTS,
    },
)
CHOICES = st.sampled_from(["auto", "none", "required", {"type": "function", "function": {"name": "ls"}}])
