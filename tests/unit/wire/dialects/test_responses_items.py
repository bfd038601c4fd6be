"""Output items: what each tells of itself, and what is left of it when it is done."""

import pytest

from tollway.wire.dialects.details import ANTHROPIC, ENCRYPTED, OPENAI, SUMMARY, TEXT, Detail
from tollway.wire.dialects.packed_details import unpack_details
from tollway.wire.dialects.responses_items import OUTPUT_TEXT, REFUSAL, CallItem, MessageItem, ReasoningItem


def kinds(events: list[tuple[str, dict[str, object]]]) -> list[str]:
    return [kind.removeprefix("response.") for kind, _ in events]


def test_a_message_with_a_refusal_in_it() -> None:
    item = MessageItem("msg_1")
    assert item.ended() == []
    assert kinds(item.add(OUTPUT_TEXT, "a")) == ["content_part.added", "output_text.delta"]
    assert kinds(item.add(OUTPUT_TEXT, "b")) == ["output_text.delta"]
    turned = item.add(REFUSAL, "No.")
    assert kinds(turned) == ["output_text.done", "content_part.done", "content_part.added", "refusal.delta"]
    assert [members["content_index"] for _, members in turned] == [0, 0, 1, 1]
    assert turned[0][1]["text"] == "ab"
    done, part = item.ended()
    assert done == ("response.refusal.done", {"content_index": 1, "refusal": "No."})
    assert part[1]["part"] == {"type": "refusal", "refusal": "No."}
    assert item.value("completed")["content"] == [
        {"type": "output_text", "annotations": [], "logprobs": [], "text": "ab"},
        {"type": "refusal", "refusal": "No."},
    ]


def test_a_call_has_arguments() -> None:
    item = CallItem("fc_1", "call_1", "")
    assert item.add("ls", "") == []
    assert item.add("other", '{"a"') == [("response.function_call_arguments.delta", {"delta": '{"a"'})]
    item.add("", ":1}")
    assert item.ended() == [("response.function_call_arguments.done", {"name": "ls", "arguments": '{"a":1}'})]
    silent = CallItem("fc_1", "call_1", "ls")
    assert kinds(silent.ended()) == ["function_call_arguments.delta", "function_call_arguments.done"]
    assert silent.value("completed")["arguments"] == "{}"


def test_details_of_one_index_are_one_part() -> None:
    item = ReasoningItem("rs_1")
    first = item.add(Detail(TEXT, "a", ANTHROPIC, index=0))
    assert kinds(first) == ["reasoning_summary_part.added", "reasoning_summary_text.delta"]
    assert kinds(item.add(Detail(TEXT, "b", index=0))) == ["reasoning_summary_text.delta"]
    assert item.add(Detail(TEXT, "", ANTHROPIC, "SIG", index=0)) == []
    second = item.add(Detail(SUMMARY, "c", index=1))
    ends = ["reasoning_summary_text.done", "reasoning_summary_part.done"]
    assert kinds(second) == [*ends, "reasoning_summary_part.added", "reasoning_summary_text.delta"]
    assert [members["summary_index"] for _, members in second] == [0, 0, 1, 1]
    assert second[0][1]["text"] == "ab"
    assert kinds(item.ended()) == ends
    value = item.value("completed")
    assert [part["text"] for part in value["summary"]] == ["ab", "c"]
    assert unpack_details(value["encrypted_content"]) == [
        Detail(TEXT, "ab", ANTHROPIC, "SIG"),
        Detail(SUMMARY, "c"),
    ]


def test_text_that_comes_late_is_a_part_of_its_own() -> None:
    item = ReasoningItem("rs_1")
    for text, index, signature in (("a", 0, "SIG"), ("b", 1, None), ("c", 0, None)):
        item.add(Detail(TEXT, text, signature=signature, index=index))
    value = item.value("completed")
    assert [part["text"] for part in value["summary"]] == ["a", "b", "c"]
    unpacked = unpack_details(value["encrypted_content"])
    assert unpacked == [Detail(TEXT, "ac", signature="SIG"), Detail(TEXT, "b")]


def test_reasoning_of_openai_stays_as_it_was() -> None:
    item = ReasoningItem("rs_1", "rs_1")
    item.add(Detail(TEXT, "a", OPENAI, id="rs_1", index=0))
    item.add(Detail(ENCRYPTED, "E", OPENAI, id="rs_1", index=1))
    item.add(Detail(ENCRYPTED, "E", OPENAI, id="rs_1", index=2))
    assert "encrypted_content" not in item.value("in_progress")
    assert item.value("completed")["encrypted_content"] == "E"


@pytest.mark.parametrize(
    ("id_", "detail"),
    [
        ("rs_other", Detail(ENCRYPTED, "E", OPENAI, id="rs_1")),
        ("rs_1", Detail(ENCRYPTED, "E", ANTHROPIC, id="rs_1")),
        ("rs_1", Detail(TEXT, "a", ANTHROPIC, "SIG")),
    ],
)
def test_any_other_proof_is_packed(id_: str, detail: Detail) -> None:
    item = ReasoningItem(id_, detail.id)
    item.add(detail)
    assert unpack_details(item.value("completed")["encrypted_content"]) == [detail]


def test_two_proofs_are_packed() -> None:
    item = ReasoningItem("rs_1", "rs_1")
    both = [Detail(ENCRYPTED, data, OPENAI, id="rs_1", index=place) for place, data in enumerate("EF")]
    for one in both:
        item.add(one)
    unpacked = unpack_details(item.value("completed")["encrypted_content"]) or []
    assert [one.content for one in unpacked] == ["E", "F"]


def test_text_without_proof_is_only_text() -> None:
    item = ReasoningItem("rs_1")
    item.add(Detail(TEXT, "a"))
    assert item.value("completed") == {
        "id": "rs_1",
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "a"}],
    }


def test_an_item_takes_what_may_be_of_it() -> None:
    item = ReasoningItem("rs_1", "a")
    assert [item.takes(Detail(TEXT, id=id_)) for id_ in ("a", None, "b")] == [True, True, False]
    assert not ReasoningItem("rs_1").takes(Detail(TEXT, id="b"))
