"""Fake vendors that are as strict as the real ones about what a conversation must look like, and answer it.

The first turn thinks, says something and calls the tool `weather`; the turn that brings its result says what that was.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

KEY = "sk-vendor"
THOUGHT, SIGNATURE, SEALED = "They want the weather.", "c2lnbmF0dXJl", "c2VhbGVk"
SAID, CITY = "Let me look.", "Oslo"

Event = dict[str, Any]


class RefusedError(Exception):
    """What the vendor would not take."""


class Vendor:
    """`bodies`: what came, in order; `wrong`: why something was refused."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.wrong: list[str] = []
        self.url = ""

    def serve(self, path: str, headers: dict[str, str], body: Any) -> tuple[Any, list[Event]]:
        """The whole answer, and the events of the stream."""
        raise NotImplementedError


class MessagesVendor(Vendor):
    """Speaks Anthropic Messages."""

    def serve(self, path: str, headers: dict[str, str], body: Any) -> tuple[Any, list[Event]]:
        _demand(path == "/v1/messages", "path")
        _demand(headers.get("x-api-key") == KEY and "authorization" not in headers, "key")
        _demand(headers.get("anthropic-version") == "2023-06-01", "version")
        _demand(isinstance(body.get("max_tokens"), int), "max_tokens")
        _demand(body["tools"][0]["input_schema"]["type"] == "object", "tools")
        roles = [message["role"] for message in body["messages"]]
        _demand(roles == ["user", "assistant"] * (len(roles) // 2) + ["user"], "roles take turns")
        results = [block for block in body["messages"][-1]["content"] if block["type"] == "tool_result"]
        if not results:
            return self._first(body)
        said = body["messages"][-2]["content"]
        _demand([block["type"] for block in said] == ["thinking", "text", "tool_use"], f"history: {said}")
        _demand((said[0]["thinking"], said[0]["signature"]) == (THOUGHT, SIGNATURE), "thinking is not what it was")
        _demand(said[2]["input"] == {"city": CITY}, "input of the tool")
        _demand(results[0]["tool_use_id"] == said[2]["id"] == "toolu_1", "id of the tool call")
        return self._answer(body, [{"type": "text", "text": f"It is {results[0]['content']}."}], "end_turn")

    def _first(self, body: Any) -> tuple[Any, list[Event]]:
        blocks = [
            {"type": "thinking", "thinking": THOUGHT, "signature": SIGNATURE},
            {"type": "text", "text": SAID},
            {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": CITY}},
        ]
        return self._answer(body, blocks, "tool_use")

    def _answer(self, body: Any, blocks: list[Any], stop: str) -> tuple[Any, list[Event]]:
        head = {"id": "msg_v", "type": "message", "role": "assistant", "model": body["model"]}
        usage = {"input_tokens": 11, "output_tokens": 7}
        whole = {**head, "content": blocks, "stop_reason": stop, "stop_sequence": None, "usage": usage}
        start = {**whole, "content": [], "stop_reason": None, "usage": {"input_tokens": 11, "output_tokens": 1}}
        events: list[Event] = [{"type": "message_start", "message": start}, {"type": "ping"}]
        for index, block in enumerate(blocks):
            events += self._block(index, block)
        end = {"stop_reason": stop, "stop_sequence": None}
        events.append({"type": "message_delta", "delta": end, "usage": {"output_tokens": 7}})
        return whole, [*events, {"type": "message_stop"}]

    def _block(self, index: int, block: Any) -> Iterator[Event]:
        empty = {"thinking": {"thinking": "", "signature": ""}, "text": {"text": ""}, "tool_use": {"input": {}}}
        yield {"type": "content_block_start", "index": index, "content_block": {**block, **empty[block["type"]]}}
        for delta in self._deltas(block):
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}

    def _deltas(self, block: Any) -> Iterator[Event]:
        if block["type"] == "thinking":
            yield from ({"type": "thinking_delta", "thinking": piece} for piece in _halves(block["thinking"]))
            yield {"type": "signature_delta", "signature": block["signature"]}
        elif block["type"] == "text":
            yield from ({"type": "text_delta", "text": piece} for piece in _halves(block["text"]))
        else:
            pieces = _halves(json.dumps(block["input"]))
            yield from ({"type": "input_json_delta", "partial_json": piece} for piece in pieces)


class ResponsesVendor(Vendor):
    """Speaks OpenAI's Responses API. `demands_reasoning`: reasoning must come back as it was."""

    def __init__(self, *, demands_reasoning: bool) -> None:
        super().__init__()
        self._demands_reasoning = demands_reasoning

    def serve(self, path: str, headers: dict[str, str], body: Any) -> tuple[Any, list[Event]]:
        _demand(path == "/v1/responses", "path")
        _demand(headers.get("authorization") == f"Bearer {KEY}" and "x-api-key" not in headers, "key")
        _demand(body["store"] is False and body["include"] == ["reasoning.encrypted_content"], "store, include")
        _demand(body["tools"][0]["type"] == "function" and body["tools"][0]["name"] == "weather", "tools")
        items = body["input"]
        results = [item for item in items if item.get("type") == "function_call_output"]
        if not results:
            return self._first(body)
        (call,) = [item for item in items if item.get("type") == "function_call"]
        _demand(json.loads(call["arguments"]) == {"city": CITY}, "arguments")
        _demand(results[0]["call_id"] == call["call_id"] == "call_1", "id of the call")
        said = [item for item in items if item.get("role") == "assistant"]
        _demand(said[0]["content"] == [{"type": "output_text", "text": SAID}], f"history: {said}")
        thought = [item for item in items if item.get("type") == "reasoning"]
        known = [(item["id"], item["encrypted_content"], item["summary"][0]["text"]) for item in thought]
        _demand(known == ([("rs_1", SEALED, THOUGHT)] if self._demands_reasoning else []), f"reasoning: {known}")
        return self._answer(body, [_message(f"It is {results[0]['output']}.")])

    def _first(self, body: Any) -> tuple[Any, list[Event]]:
        summary = [{"type": "summary_text", "text": THOUGHT}]
        reasoning = {"type": "reasoning", "id": "rs_1", "encrypted_content": SEALED, "summary": summary}
        arguments = json.dumps({"city": CITY})
        call = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "weather", "arguments": arguments}
        return self._answer(body, [reasoning, _message(SAID), {**call, "status": "completed"}])

    def _answer(self, body: Any, items: list[Any]) -> tuple[Any, list[Event]]:
        usage = {
            "input_tokens": 11,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 7,
            "output_tokens_details": {"reasoning_tokens": 3},
            "total_tokens": 18,
        }
        head = {"id": "resp_v", "object": "response", "model": body["model"], "error": None}
        whole = {**head, "status": "completed", "output": items, "usage": usage}
        begun = {**head, "status": "in_progress", "output": []}
        events: list[Event] = [{"type": "response.created", "response": begun}]
        for index, item in enumerate(items):
            events += self._item(index, item)
        return whole, [*events, {"type": "response.completed", "response": whole}]

    def _item(self, index: int, item: Any) -> Iterator[Event]:
        at = {"output_index": index, "item_id": item["id"]}
        empty: dict[str, Any] = {
            "reasoning": {"summary": [], "encrypted_content": None},
            "message": {"content": []},
            "function_call": {"arguments": ""},
        }
        yield {"type": "response.output_item.added", "output_index": index, "item": {**item, **empty[item["type"]]}}
        if item["type"] == "reasoning":
            part = {"type": "summary_text", "text": ""}
            yield {"type": "response.reasoning_summary_part.added", **at, "summary_index": 0, "part": part}
            for piece in _halves(THOUGHT):
                yield {"type": "response.reasoning_summary_text.delta", **at, "summary_index": 0, "delta": piece}
            yield {"type": "response.reasoning_summary_part.done", **at, "summary_index": 0, "part": item["summary"][0]}
        elif item["type"] == "message":
            for piece in _halves(item["content"][0]["text"]):
                yield {"type": "response.output_text.delta", **at, "content_index": 0, "delta": piece}
        else:
            for piece in _halves(item["arguments"]):
                yield {"type": "response.function_call_arguments.delta", **at, "delta": piece}
            yield {"type": "response.function_call_arguments.done", **at, "arguments": item["arguments"]}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _message(text: str) -> Any:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content}


def _halves(text: str) -> tuple[str, str]:
    return text[: len(text) // 2], text[len(text) // 2 :]


def _demand(is_so: bool, what: str) -> None:
    if not is_so:
        raise RefusedError(what)


@contextmanager
def running(vendor: Vendor) -> Iterator[Vendor]:
    """At `vendor.url`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            headers = {name.lower(): value for name, value in self.headers.items()}
            vendor.bodies.append(body)
            try:
                whole, events = vendor.serve(self.path, headers, body)
            except (RefusedError, KeyError, IndexError, TypeError) as error:
                vendor.wrong.append(f"{type(error).__name__}: {error}")
                refusal = {"type": "error", "error": {"type": "invalid_request_error", "message": str(error)}}
                self._write(400, "application/json", json.dumps(refusal).encode())
                return
            if body.get("stream"):
                lines = b"".join(
                    b"event: %b\ndata: %b\n\n" % (event["type"].encode(), json.dumps(event).encode())
                    for event in events
                )
                self._write(200, "text/event-stream", lines)
            else:
                self._write(200, "application/json", json.dumps(whole).encode())

        def _write(self, status: int, content_type: str, data: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002  (its name in http.server)
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    vendor.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield vendor
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
