from typing import Any

import pytest

from tollway.wire.dialects.chat_reasoning_to_responses import reasoning_items
from tollway.wire.dialects.details import ANTHROPIC, OBSCURED, OPENAI, XAI


def text(text_: str, id_: str | None = "a", format_: str | None = OPENAI) -> dict[str, Any]:
    return {"type": "reasoning.text", "text": text_, "id": id_, "format": format_}


def sealed(data: str, id_: str | None = "a", format_: str | None = OPENAI) -> dict[str, Any]:
    return {"type": "reasoning.encrypted", "data": data, "id": id_, "format": format_}


def item(id_: str, data: str | None, *texts: str) -> dict[str, Any]:
    proof = {} if data is None else {"encrypted_content": data}
    summary = [{"type": "summary_text", "text": one} for one in texts]
    return {"type": "reasoning", "id": id_, **proof, "summary": summary}


@pytest.mark.parametrize(
    ("details", "items"),
    [
        ([], []),
        ([text("x"), sealed("E")], [item("a", "E", "x")]),
        ([text("x"), text("y"), sealed("E"), sealed("F")], [item("a", "F", "x", "y")]),
        ([text(""), sealed("E")], [item("a", "E")]),
        ([text("x")], [item("a", None, "x")]),
        ([sealed("E", "b"), text("x"), sealed("F")], [item("a", "F", "x"), item("b", "E")]),
        ([text("x", "b"), text("y", "a"), text("z", "b")], [item("b", None, "x", "z"), item("a", None, "y")]),
        ([{"type": "reasoning.summary", "summary": "x", "id": "a", "format": OPENAI}], [item("a", None, "x")]),
        (
            [text("x", None), sealed("E", None), text("x", "a", XAI), text("x", "a", ANTHROPIC), text("x", "a", None)],
            [],
        ),
        ([text("x", "a", OBSCURED)], []),
    ],
)
def test_items_by_id(details: list[Any], items: list[Any]) -> None:
    assert reasoning_items({"reasoning_details": details}, is_legacy=False) == items


def test_the_obscured_format_of_legacy_clients() -> None:
    details = [text("x", "a", OBSCURED), sealed("E", "a", OBSCURED)]
    assert reasoning_items({"reasoning_details": details}, is_legacy=True) == [item("a", "E", "x")]


def test_plain_reasoning_is_not_sent() -> None:
    assert reasoning_items({"reasoning": "Hm"}, is_legacy=False) == []
