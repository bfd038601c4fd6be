import json

import pytest
from structlog.testing import capture_logs

from tollway.gateway.exchange import Exchange
from tollway.gateway.stages import prepare_request
from tollway.wire.chat import parse_chat
from unit.gateway.fakes import body_of, exchange, services

USER = {"role": "user", "content": "hi"}
CALLING = {
    "role": "assistant",
    "tool_calls": [{"id": "c1", "function": {"name": "search", "arguments": '{"q":"canary"}'}}],
}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "canary"}
CREATED = {"role": "tool", "tool_call_id": "c1", "content": "Tool execution was interrupted before completion."}


def asked(**more: object) -> Exchange:
    one = exchange()
    one.request = parse_chat(body_of(**more))
    one.provider_config = None
    return one


@pytest.mark.parametrize("options", [None, {}, {"include_usage": False}, {"include_usage": False, "other": 1}])
def test_usage_is_always_asked_for(options: object) -> None:
    one = asked(stream=True, stream_options=options)
    before = dict(one.request.body)
    prepared = prepare_request.run(one, services())
    sent = prepared["stream_options"]
    assert isinstance(sent, dict)
    assert sent["include_usage"] is True
    assert one.request.body == before  # what came in survives


def test_tools_are_repaired_and_the_log_has_one_line_without_contents() -> None:
    one = asked(messages=[USER, CALLING, USER, CALLING, RESULT, RESULT])
    with capture_logs() as lines:
        prepared = prepare_request.run(one, services())
    assert prepared["messages"] == [USER, CALLING, CREATED, USER, CALLING, RESULT]
    assert one.request.body["messages"] == [USER, CALLING, USER, CALLING, RESULT, RESULT]
    nothing = {"count": 0, "first": []}
    once = {"count": 1, "first": [{"tool": "search", "id": "c1"}]}
    assert lines == [
        {
            "event": "tools_repaired",
            "log_level": "info",
            "request_id": "request-1",
            "removed_calls": nothing,
            "inserted_results": once,
            "deleted_results": once,
        }
    ]
    assert "canary" not in json.dumps(lines)


@pytest.mark.parametrize("messages", [None, [], [USER], [USER, CALLING, RESULT, USER]])
def test_nothing_is_said_or_copied_where_nothing_is_to_repair(messages: object) -> None:
    one = asked(messages=messages)
    with capture_logs() as lines:
        prepared = prepare_request.run(one, services())
    assert prepared["messages"] is one.request.body["messages"]
    assert lines == []
