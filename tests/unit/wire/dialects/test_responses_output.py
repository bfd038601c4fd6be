"""The writer of Responses events: order, numbers, places and ids."""

import json
from typing import Any

from tollway.wire.dialects.details import ANTHROPIC, OPENAI, TEXT, Detail
from tollway.wire.dialects.provider_error import ProviderError
from tollway.wire.dialects.responses_items import OUTPUT_TEXT, REFUSAL
from tollway.wire.dialects.responses_output import Ending, ResponseHead, ResponseWriter
from tollway.wire.usage import Usage

ECHO = {"instructions": "S", "text": {"verbosity": "low"}, "metadata": {"a": "b"}, "store": True}
HEAD = ResponseHead("resp_1", 1_700_000_000, "acme", ECHO)


def events(stream: bytes) -> list[dict[str, Any]]:
    found = []
    for event in stream.decode().split("\n\n")[:-1]:
        name, data = event.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found


def kinds(stream: bytes) -> list[str]:
    return [one["type"].removeprefix("response.") for one in events(stream)]


def test_the_beginning_repeats_the_request() -> None:
    created, in_progress = events(ResponseWriter(HEAD).start("acme-2"))
    response = created["response"]
    assert (created["type"], in_progress["type"]) == ("response.created", "response.in_progress")
    assert (response["id"], response["created_at"], response["model"]) == ("resp_1", 1_700_000_000, "acme-2")
    assert (response["status"], response["output"], response["usage"]) == ("in_progress", [], None)
    assert (response["instructions"], response["metadata"], response["tools"]) == ("S", {"a": "b"}, [])
    assert response["text"] == {"format": {"type": "text"}, "verbosity": "low"}
    assert response["store"] is False
    assert in_progress["response"] == response
    assert events(ResponseWriter(HEAD).start(""))[0]["response"]["model"] == "acme"


def test_items_follow_each_other() -> None:
    writer = ResponseWriter(HEAD)
    stream = writer.think(Detail(TEXT, "Hm")) + writer.say(OUTPUT_TEXT, "Hi") + writer.say(OUTPUT_TEXT, "")
    stream += writer.call(0, "call_1", "ls", "") + writer.call(1, "call_2", "ls", "{}") + writer.call(0, "", "", "[]")
    stream += writer.finish(Ending("tool_calls", Usage(3, 2, 1, 0, 1)))
    told = events(stream)
    assert [one["sequence_number"] for one in told] == list(range(len(told)))
    added = [one["output_index"] for one in told if one["type"] == "response.output_item.added"]
    done = [one["output_index"] for one in told if one["type"] == "response.output_item.done"]
    assert added == done == [0, 1, 2, 3]
    assert told[-1]["type"] == "response.completed"
    assert told[-1]["response"]["output"] == [one["item"] for one in told if one["type"] == "response.output_item.done"]
    assert [one["id"] for one in told[-1]["response"]["output"]] == ["rs_1_0", "msg_1_1", "fc_1_2", "fc_1_3"]
    assert [one.get("arguments") for one in told[-1]["response"]["output"]] == [None, None, "[]", "{}"]
    assert told[-1]["response"]["usage"] == {
        "input_tokens": 3,
        "input_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 0},
        "output_tokens": 2,
        "output_tokens_details": {"reasoning_tokens": 1},
        "total_tokens": 5,
    }


def test_calls_without_an_id_get_one() -> None:
    writer = ResponseWriter(HEAD)
    ids = [events(writer.call(index, "", "ls", ""))[0]["item"]["call_id"] for index in range(2)]
    assert ids == ["call_1_0", "call_1_1"]


def test_reasoning_keeps_the_id_by_which_openai_knows_it() -> None:
    writer = ResponseWriter(HEAD)
    thoughts = [
        Detail(TEXT, "a", OPENAI, id="rs_a"),
        Detail(TEXT, "b", OPENAI, id="rs_b"),
        Detail(TEXT, "c", OPENAI, id="rs_a"),  # came late: one id cannot name two items
        Detail(TEXT, "d", ANTHROPIC, id="rs_d"),
        Detail(TEXT, "e", OPENAI, id="x" * 65),
    ]
    told = [one for thought in thoughts for one in events(writer.think(thought))]
    ids = [one["item"]["id"] for one in told if one["type"] == "response.output_item.added"]
    assert ids == ["rs_a", "rs_b", "rs_1_2", "rs_1_3", "rs_1_4"]


def test_an_answer_that_was_cut_short() -> None:
    writer = ResponseWriter(HEAD)
    writer.call(0, "call_1", "ls", "{")
    done, last = events(writer.finish(Ending("length")))[-2:]
    assert done["item"]["status"] == "incomplete"
    assert (last["type"], last["response"]["status"]) == ("response.incomplete", "incomplete")
    assert last["response"]["incomplete_details"] == {"reason": "max_output_tokens"}
    assert Ending("content_filter").members()["incomplete_details"] == {"reason": "content_filter"}


def test_an_answer_that_failed() -> None:
    writer = ResponseWriter(HEAD)
    writer.say(REFUSAL, "No")
    *_, done, last = events(writer.finish(Ending("error", error=ProviderError("Wait.", 429))))
    assert done["item"]["status"] == "incomplete"
    assert last["type"] == "response.failed"
    assert last["response"]["error"] == {"code": "rate_limit_exceeded", "message": "Wait."}
    assert Ending(error=ProviderError("x", 502)).members()["error"]["code"] == "server_error"


def test_a_whole_answer_is_the_one_that_its_events_end_with() -> None:
    def written() -> ResponseWriter:
        writer = ResponseWriter(HEAD)
        writer.say(OUTPUT_TEXT, "Hi")
        writer.call(0, "call_1", "ls", "")
        return writer

    ending = Ending("tool_calls", Usage(1, 2))
    assert events(written().finish(ending))[-1]["response"] == written().whole(ending)


def test_what_is_kept_is_counted() -> None:
    writer = ResponseWriter(HEAD)
    writer.say(OUTPUT_TEXT, "x" * 1000)
    writer.think(Detail(TEXT, "x" * 1000, signature="y" * 1000))
    writer.call(0, "", "", "x" * 1000)
    assert 4000 < writer.kept_bytes < 5000
