"""An answer as pieces: the events of a stream, or the two halves of a JSON body.

A piece is what reaches the socket as a whole, with the tokens it carries, so that the record can say what was sent.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from tollway.sim.control import Control, Fault, UsageMode
from tollway.sim.models import ScriptedModel, Tally
from tollway.sim.script import Delta, Script
from tollway.sim.usage import usage_text

PROVIDER_NAME: Final = "Stand-in"
_SHORT_TOKENS: Final = 4096


class Kind(IntEnum):
    """The place of a piece in its answer, in order."""

    OPENING = 0
    DELTA = 1
    FINISH = 2
    USAGE = 3
    LAST = 4
    STRIKE = 9


class Piece(NamedTuple):
    """Bytes with what they carry; `reported_usage` is JSON text."""

    kind: Kind
    data: bytes
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    reported_usage: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """One answer before it is spelled: `script` is what each of the `choices` says."""

    id: str
    created: int
    model: ScriptedModel
    script: Script
    control: Control
    prompt_tokens: int
    cached_tokens: int
    choices: int = 1
    stream: bool = True
    wants_usage: bool = True

    @property
    def full_tally(self) -> Tally:
        """All tokens of the finished answer."""
        script, choices = self.script, self.choices
        return self.tally(script.token_count * choices, script.count("reasoning") * choices)

    def tally(self, completion_tokens: int, reasoning_tokens: int) -> Tally:
        """The tokens of this answer once so many of them were generated."""
        return Tally(self.prompt_tokens, self.cached_tokens, completion_tokens, reasoning_tokens)


def stream_pieces(draft: Draft) -> Iterator[Piece]:
    """The events of a stream, each ending in an empty line."""
    voice = _Voice(draft)
    for choice in range(draft.choices):
        yield Piece(Kind.OPENING, voice.chunk(choice, b'{"role":"assistant","content":""}'))
    if draft.control.fault is Fault.EMPTY:
        yield Piece(Kind.LAST, b"data: [DONE]\n\n")
        return
    yield from _delta_pieces(draft, voice)
    finish_reason = msgspec.json.encode(draft.script.finish_reason)
    for choice in range(draft.choices):
        yield Piece(Kind.FINISH, voice.chunk(choice, b'{"content":""}', finish_reason))
    for text in _final_usages(draft):
        yield Piece(Kind.USAGE, voice.usage(text), reported_usage=None if text == "null" else text)
    yield Piece(Kind.LAST, b"" if draft.control.fault is Fault.NO_DONE else b"data: [DONE]\n\n")


def json_pieces(draft: Draft) -> Iterator[Piece]:
    """A JSON body in two halves; all tokens belong to the first."""
    tally = draft.tally(0, 0) if draft.control.fault is Fault.EMPTY else draft.full_tally
    said = _Said(draft.model, draft.script, draft.control, draft.choices, tally, _call_id(draft))
    rest, usage = _short_json(said) if tally.completion <= _SHORT_TOKENS else _json(said)
    body = b'{"id":"%s","created":%d,%s' % (draft.id.encode(), draft.created, rest)
    yield from halves(body, tally.completion, tally.reasoning, None if usage == "null" else usage)


def halves(
    body: bytes, completion_tokens: int = 0, reasoning_tokens: int = 0, usage: str | None = None
) -> Iterator[Piece]:
    """Any body that is not a stream, as two pieces."""
    middle = len(body) // 2
    yield Piece(Kind.OPENING, body[:middle], completion_tokens, reasoning_tokens, usage)
    yield Piece(Kind.LAST, body[middle:])


def mark_strike(pieces: Iterable[Piece], at: int) -> Iterator[Piece]:
    """Put a piece of kind STRIKE before chunk number `at`, or before the answer's end if it is shorter."""
    chunks, struck = 0, False
    for piece in pieces:
        if not struck and (piece.kind >= Kind.FINISH or (piece.kind is Kind.DELTA and chunks == at)):
            struck = True
            yield Piece(Kind.STRIKE, b"")
        chunks += piece.kind is Kind.DELTA
        yield piece


def error_event(draft: Draft) -> bytes:
    """OpenRouter's error in the middle of a stream."""
    return _event(
        {
            "id": draft.id,
            "object": "chat.completion.chunk",
            "created": draft.created,
            "model": draft.model.id,
            "provider": PROVIDER_NAME,
            "error": {"code": "server_error", "message": "Provider disconnected unexpectedly"},
            "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
        }
    )


class _Voice:
    """Spells chunks; everything that does not change within an answer is encoded once."""

    def __init__(self, draft: Draft) -> None:
        head = {
            "id": draft.id,
            "provider": PROVIDER_NAME,
            "model": draft.model.id,
            "object": "chat.completion.chunk",
            "created": draft.created,
        }
        self._head = b"data: " + msgspec.json.encode(head)[:-1]
        self._tail = b',"usage":null}\n\n' if draft.control.usage is UsageMode.NULLS else b"}\n\n"

    def before_delta(self, choice: int) -> bytes:
        return b'%s,"choices":[{"index":%d,"delta":' % (self._head, choice)

    def after_delta(self, finish_reason: bytes = b"null") -> bytes:
        reasons = b',"finish_reason":%s,"native_finish_reason":%s,"logprobs":null}]' % (finish_reason, finish_reason)
        return reasons + self._tail

    def chunk(self, choice: int, delta: bytes, finish_reason: bytes = b"null") -> bytes:
        return self.before_delta(choice) + delta + self.after_delta(finish_reason)

    def usage(self, text: str) -> bytes:
        return b'%s,"choices":[],"usage":%s}\n\n' % (self._head, text.encode())


def _delta_pieces(draft: Draft, voice: _Voice) -> Iterator[Piece]:
    befores = [voice.before_delta(choice) for choice in range(draft.choices)]
    after = voice.after_delta()
    encode = msgspec.json.encode
    called = False
    for delta in draft.script.deltas():
        if delta.channel == "tool" and not called:
            called = True
            for before in befores:
                yield Piece(Kind.OPENING, before + _tool_delta(draft, "", opening=True) + after)
        for before in befores:
            if delta.channel == "content":
                data = b'%s{"content":%s}%s' % (before, encode(delta.text), after)
                piece = Piece(Kind.DELTA, data, delta.tokens)
            else:
                piece = _side_piece(draft, delta, before, after)
            yield piece


def _side_piece(draft: Draft, delta: Delta, before: bytes, after: bytes) -> Piece:
    if delta.channel == "tool":
        return Piece(Kind.DELTA, before + _tool_delta(draft, delta.text) + after, delta.tokens)
    data = b'%s{"content":"","reasoning":%s}%s' % (before, msgspec.json.encode(delta.text), after)
    return Piece(Kind.DELTA, data, delta.tokens, delta.tokens)


def with_running_usage(draft: Draft, pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Mode `every`: each chunk reports what was generated up to and with it."""
    completion = reasoning = 0
    for piece in pieces:
        completion += piece.completion_tokens
        reasoning += piece.reasoning_tokens
        if piece.kind > Kind.FINISH:
            yield piece
            continue
        text = usage_text(draft.model, draft.tally(completion, reasoning), draft.control)
        data = b'%s,"usage":%s}\n\n' % (piece.data.removesuffix(b"}\n\n"), text.encode())
        yield piece._replace(data=data, reported_usage=text)


def _final_usages(draft: Draft) -> Iterator[str]:
    if not draft.wants_usage or draft.control.usage is UsageMode.OMIT:
        return
    tally = draft.full_tally
    if draft.control.usage is UsageMode.TWICE:
        smaller = replace(tally, completion=tally.completion // 2, reasoning=tally.reasoning // 2)
        yield usage_text(draft.model, smaller, draft.control)
    yield usage_text(draft.model, tally, draft.control)


class _Said(NamedTuple):
    """What a JSON answer says apart from its id and time: many requests get the same."""

    model: ScriptedModel
    script: Script
    control: Control
    choices: int
    tally: Tally
    call_id: str | None


def _json(said: _Said) -> tuple[bytes, str | None]:
    """The body behind its id and time, and the usage in it."""
    message = msgspec.Raw(msgspec.json.encode(_message(said)))
    finish_reason = None if said.control.fault is Fault.EMPTY else said.script.finish_reason
    choice = {
        "message": message,
        "finish_reason": finish_reason,
        "native_finish_reason": finish_reason,
        "logprobs": None,
    }
    answer: dict[str, object] = {
        "provider": PROVIDER_NAME,
        "model": said.model.id,
        "object": "chat.completion",
        "choices": [{"index": index, **choice} for index in range(said.choices)],
    }
    usage = None
    if said.control.usage is not UsageMode.OMIT:
        usage = usage_text(said.model, said.tally, said.control)
        answer["usage"] = msgspec.Raw(usage.encode())
    return msgspec.json.encode(answer)[1:], usage


_short_json = lru_cache(maxsize=256)(_json)


def _message(said: _Said) -> dict[str, object]:
    if said.control.fault is Fault.EMPTY:
        return {"role": "assistant", "content": "", "refusal": None}
    script = said.script
    message: dict[str, object] = {"role": "assistant", "content": script.text("content"), "refusal": None}
    if reasoning := script.text("reasoning"):
        message["reasoning"] = reasoning
    if script.tool_name is not None:
        function = {"name": script.tool_name, "arguments": script.text("tool")}
        message |= {"content": None, "tool_calls": [{"id": said.call_id, "type": "function", "function": function}]}
    return message


def _tool_delta(draft: Draft, arguments: str, opening: bool = False) -> bytes:
    call: dict[str, object] = {"index": 0}
    function: dict[str, object] = {"arguments": arguments}
    if opening:
        call |= {"id": _call_id(draft), "type": "function"}
        function = {"name": draft.script.tool_name, **function}
    return msgspec.json.encode({"tool_calls": [call | {"function": function}]})


def _call_id(draft: Draft) -> str | None:
    return f"call_{draft.id.removeprefix('gen-')}" if draft.script.tool_name else None


def _event(value: object) -> bytes:
    return b"data: " + msgspec.json.encode(value) + b"\n\n"
