import json
from typing import Any

from tollway.wire.dialects.chat_output import ChatMessage, ChatWriter, UsageShape, usage_member
from tollway.wire.dialects.details import ANTHROPIC, OBSCURED, OPENAI
from tollway.wire.scan import StreamScanner
from tollway.wire.usage import Usage, read_usage


def delta(event: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(event.removeprefix(b"data: "))["choices"][0]["delta"]
    return found


def detail(event: bytes) -> dict[str, Any]:
    found: dict[str, Any] = delta(event)["reasoning_details"][0]
    return found


def test_text() -> None:
    assert ChatWriter("m").text("Hi") == b'data: {"model":"m","choices":[{"delta":{"content":"Hi"}}]}\n\n'
    assert ChatWriter("m").text("") == b""


def test_text_cannot_make_an_event_of_its_own() -> None:
    assert ChatWriter("m").text("a\n\ndata: [DONE]\n\n\r").count(b"\n") == 2


def test_every_block_of_reasoning_has_an_index() -> None:
    writer = ChatWriter("m")
    writer.open_reasoning()
    assert detail(writer.reasoning("a")) == {"type": "reasoning.text", "text": "a", "index": 0}
    assert detail(writer.reasoning("b"))["index"] == 0
    assert detail(writer.signature("s", ANTHROPIC))["index"] == 0
    assert detail(writer.encrypted("D", OPENAI, "i")) == {
        "type": "reasoning.encrypted", "data": "D", "index": 1, "id": "i", "format": OPENAI,
    }  # fmt: skip
    writer.open_reasoning()
    assert writer.reasoning("") == b""
    assert detail(writer.reasoning("c", "i", OPENAI))["index"] == 2
    writer.open_reasoning()
    assert detail(writer.signature("s", ANTHROPIC))["index"] == 3


def test_reasoning_that_nothing_opened_belongs_to_the_first() -> None:
    assert detail(ChatWriter("m").reasoning("a"))["index"] == 0


def test_old_clients_get_another_name() -> None:
    writer = ChatWriter("m", is_legacy=True)
    assert detail(writer.encrypted("D", OPENAI))["format"] == OBSCURED
    assert detail(writer.signature("s", ANTHROPIC))["format"] == ANTHROPIC


def test_calls_are_counted() -> None:
    writer = ChatWriter("m")
    assert not writer.has_tool_calls
    index, start = writer.tool_start("a", "f")
    assert (index, delta(start)) == (
        0,
        {"tool_calls": [{"index": 0, "id": "a", "type": "function", "function": {"name": "f"}}]},
    )
    assert delta(writer.tool_arguments(0, "{")) == {"tool_calls": [{"index": 0, "function": {"arguments": "{"}}]}
    assert writer.tool_arguments(0, "") == b""
    whole = delta(writer.tool_whole("b", "g", ""))["tool_calls"][0]
    assert whole == {"index": 1, "id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}}
    assert writer.has_tool_calls


def test_the_end_is_read_by_the_tap() -> None:
    usage = Usage(5, 3, 1, 2, 1)
    shape = UsageShape(cache_writes=True, reasoning=True)
    scanner = StreamScanner()
    scanner.feed(ChatWriter("m").finish("id", "stop", usage_member(usage, shape)))
    assert (scanner.message_id, scanner.model, scanner.finish_reason, scanner.done) == ("id", "m", "stop", True)
    assert scanner.usage == usage


def test_an_error_looks_like_no_end() -> None:
    scanner = StreamScanner()
    scanner.feed(ChatWriter("m").error("broken", 529))
    assert (scanner.has_error, scanner.done, scanner.finish_reason) == (True, False, "error")


def test_usage() -> None:
    assert usage_member(None, UsageShape()) == {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    found = usage_member(Usage(5, 3, 1, 2, 1), UsageShape())
    assert found == {
        "prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8, "prompt_tokens_details": {"cached_tokens": 1},
    }  # fmt: skip
    assert read_usage(json.dumps(found).encode()) == Usage(5, 3, 1)


def test_a_whole_message() -> None:
    message = ChatMessage()
    message.reasoning("Hm", "SIG", format_=ANTHROPIC)
    message.reasoning("")
    message.encrypted("D", ANTHROPIC)
    message.text("a")
    message.text("b")
    message.call("c1", "f", "{}")
    message.call("c2", "g", "")
    assert message.has_tool_calls
    answer = json.loads(message.answer("id", "m", "tool_calls", usage_member(None, UsageShape())))
    assert answer["id"] == "id"
    assert answer["choices"][0]["message"] == {
        "role": "assistant",
        "content": "ab",
        "reasoning": "Hm",
        "reasoning_details": [
            {"type": "reasoning.text", "text": "Hm", "signature": "SIG", "format": ANTHROPIC},
            {"type": "reasoning.encrypted", "data": "D", "format": ANTHROPIC},
        ],
        "tool_calls": [
            {"id": "c1", "type": "function", "index": 0, "function": {"name": "f", "arguments": "{}"}},
            {"id": "c2", "type": "function", "index": 1, "function": {"name": "g", "arguments": "{}"}},
        ],
    }


def test_a_message_of_nothing() -> None:
    answer = json.loads(ChatMessage().answer("", "m", "stop", {}))
    assert answer["choices"] == [
        {"message": {"role": "assistant", "content": None}, "finish_reason": "stop", "index": 0}
    ]


def test_a_whole_message_for_an_old_client() -> None:
    message = ChatMessage(is_legacy=True)
    message.encrypted("D", OPENAI, "i")
    assert OBSCURED.encode() in message.answer("", "m", "stop", {})


def test_refusals_have_a_field_of_their_own() -> None:
    writer = ChatWriter("m")
    assert writer.refusal("") == b""
    assert writer.refusal("No.") == b'data: {"model":"m","choices":[{"delta":{"refusal":"No."}}]}\n\n'
    message = ChatMessage()
    message.refusal("N")
    message.refusal("o.")
    answer = json.loads(message.answer("", "m", "stop", {}))
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": None, "refusal": "No."}
