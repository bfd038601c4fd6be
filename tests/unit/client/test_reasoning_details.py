"""Pieces of reasoning, joined as the gateway wants them back."""

from tollway.client.reasoning_details import ReasoningDetails


def test_pieces_of_one_detail_are_joined() -> None:
    details = ReasoningDetails()
    shown = [
        details.add([{"type": "reasoning.text", "index": 0, "text": "a", "format": "f"}]),
        details.add([{"type": "reasoning.text", "index": 0, "text": "b"}]),
        details.add([{"type": "reasoning.text", "index": 0, "text": "", "signature": "s"}]),
        details.add([{"type": "reasoning.encrypted", "index": 1, "data": "x", "id": "1"}]),
        details.add([{"type": "reasoning.summary", "index": 2, "summary": "c"}]),
    ]
    assert "".join(shown) == "abc"
    assert details.merged() == [
        {"type": "reasoning.text", "index": 0, "text": "ab", "format": "f", "signature": "s"},
        {"type": "reasoning.encrypted", "index": 1, "data": "x", "id": "1"},
        {"type": "reasoning.summary", "index": 2, "summary": "c"},
    ]


def test_what_does_not_belong_together_stays_apart() -> None:
    details = ReasoningDetails()
    details.add([{"type": "t", "index": 0, "text": "a", "signature": "s"}, {"type": "t", "index": 0, "text": "b"}])
    details.add([{"type": "e", "index": 1, "data": "x", "id": "1"}, {"type": "e", "index": 1, "data": "y", "id": "2"}])
    details.add([{"type": "t", "text": "no index"}, {"type": "t", "text": "none"}, "junk", {}])
    assert len(details.merged()) == 6
