from msgspec.json import encode

from tollway.gateway.facts import facts_of_answer, facts_of_stream, facts_of_unseen
from tollway.gateway.reply import NO_FACTS
from tollway.wire.answer import Answer, read_answer
from tollway.wire.scan import StreamScanner
from tollway.wire.usage import Usage

USAGE = {"prompt_tokens": 3, "completion_tokens": 2}
BODY = {
    "id": "gen-1",
    "model": "vendor/name",
    "provider": "Someone",
    "choices": [{"message": {"content": "hello"}, "finish_reason": "stop"}],
    "usage": USAGE,
}


def test_a_whole_answer() -> None:
    facts = facts_of_answer(read_answer(encode(BODY)), 200)
    assert facts == Answer("gen-1", "vendor/name", "Someone", "stop", Usage(3, 2), False, True, None, 5, True)
    assert facts_of_answer(read_answer(encode(BODY)), 500).has_error


def test_what_was_not_shown_is_output_for_nobody() -> None:
    facts = facts_of_unseen(read_answer(encode(BODY)))
    assert (facts.usage, facts.has_output, facts.finish_reason, facts.has_error) == (Usage(3, 2), False, None, True)


def test_a_stream() -> None:
    scanner = StreamScanner()
    event = {**BODY, "choices": [{"delta": {"content": "hello"}, "finish_reason": "stop"}]}
    scanner.feed(b"data: " + encode(event) + b"\n\n")
    assert facts_of_stream(scanner) == Answer("gen-1", "vendor/name", "Someone", "stop", Usage(3, 2), False, True, 1)
    empty = facts_of_stream(StreamScanner())
    assert (empty.has_output, empty.usage, empty.output_units) == (NO_FACTS.has_output, None, 0)
