"""Requests: what is read, what is refused, how a prompt is counted."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.sim.refusal import Refusal
from tollway.sim.request import ChatRequest, Message, Part, count_prompt_tokens, parse_request


def test_what_a_client_sends_is_read() -> None:
    request = parse_request(
        json.dumps(
            {
                "model": "m",
                "messages": [
                    {"role": "system", "content": "be kind"},
                    {
                        "role": "user",
                        "content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {}}],
                    },
                    {"role": "assistant", "content": None, "tool_calls": [{"id": "c"}]},
                ],
                "max_tokens": 5,
                "max_completion_tokens": 7,
                "stream_options": {"include_usage": True},
                "temperature": 0.1,
                "tools": [{"type": "function", "function": {"name": "f"}}, {"type": "web_search"}],
            }
        ).encode()
    )
    assert isinstance(request, ChatRequest)
    assert [message.text for message in request.messages] == ["be kind", "a", ""]
    assert request.token_limit == 7
    assert request.wants_usage


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"model":1,"messages":[]}', b'{"model":"m"}', b'{"model":"m","messages":[],"n":0}', b"\xff"],
)
def test_what_is_no_request_is_refused(body: bytes) -> None:
    assert isinstance(parse_request(body), Refusal)


def test_deep_nesting_is_refused() -> None:
    assert isinstance(
        parse_request(b'{"model":"m","messages":[],"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), Refusal
    )


@pytest.mark.parametrize(("text", "tokens"), [("", 1), ("abcd", 1), ("abcde", 2), ("éé", 1), ("ééé", 2)])
def test_prompt_tokens_are_a_quarter_of_the_bytes(text: str, tokens: int) -> None:
    assert count_prompt_tokens(ChatRequest("m", [Message("user", text)])) == tokens


@given(st.lists(st.text(max_size=50), max_size=6))
def test_parts_count_like_one_text(texts: list[str]) -> None:
    parts = ChatRequest("m", [Message("user", [Part(text) for text in texts])])
    assert count_prompt_tokens(parts) == count_prompt_tokens(ChatRequest("m", [Message("user", "".join(texts))]))
