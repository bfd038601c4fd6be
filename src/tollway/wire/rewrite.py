"""Answers of models whose upstream stays out of sight: its name for the model, its comments and its prices are gone.

For models that the operator hosts and for promotions. Pure, for streams and for whole answers; how a stream's bytes
were cut changes nothing of what comes out. Source: response-path 4.
"""

from typing import Final

from msgspec import Struct
from msgspec.json import encode

from tollway.wire.answer import BOM
from tollway.wire.json_body import JsonObject
from tollway.wire.sse import DONE as DONE_MARK
from tollway.wire.sse import read_object

DONE: Final = b"data: %b\n\n" % DONE_MARK
_PRICES: Final = ("cost", "cost_details", "is_byok")
_COLON: Final = ord(":")
_LINE_ENDS: Final = (b"\r", b"\n")


class Disguise(Struct, frozen=True):
    """What is shown instead: the public `model`, the text of a `comment`, and in place of an upstream's error text
    `error`; empty: its own text stays."""

    model: str
    comment: str
    error: str = ""


class StreamRewriter:
    """Feed it the body of a stream; it gives back what the client is to see, each event as soon as it is complete.

    `dropped`: events whose data was no JSON object; they are left out, because raw text may say what is not to be
    known. Its `[DONE]` is given by `close`, which is for bodies that ended as they should.
    """

    def __init__(self, disguise: Disguise) -> None:
        self.dropped = 0
        self._disguise = disguise
        self._comment = f": {disguise.comment}\n\n".encode()
        self._kept = bytearray()  # an incomplete line
        self._values: list[bytes] = []  # of the data lines of an incomplete event
        self._is_first_line = True
        self._after_cr = False  # an LF that comes now belongs to a line that has ended
        self._is_done = False

    def feed(self, data: bytes) -> bytes:
        if self._after_cr and data:
            self._after_cr = False
            data = data.removeprefix(b"\n")
        if not data:
            return b""
        if self._kept:
            self._kept += data
            if b"\n" not in data and b"\r" not in data:
                return b""
            data = bytes(self._kept)
            self._kept.clear()
        lines = data.splitlines(keepends=True)  # of bytes: at CR LF, LF and CR only
        if lines and not lines[-1].endswith(_LINE_ENDS):
            self._kept += lines.pop()
        self._after_cr = data.endswith(b"\r")
        return b"".join([self._take(line.rstrip(b"\r\n")) for line in lines])

    def close(self) -> bytes:
        """What is left, treated as complete, and the one `[DONE]`."""
        rest = bytes(self._kept)
        self._kept.clear()
        return (self._take(rest) if rest else b"") + self._end_event() + DONE

    def _take(self, line: bytes) -> bytes:
        """One line without its end."""
        if self._is_first_line:
            self._is_first_line = False
            line = line.removeprefix(BOM)
        if self._is_done:
            return b""
        if not line:
            return self._end_event()
        if line[0] == _COLON:
            return self._comment
        name, _, value = line.partition(b":")
        if name == b"data":
            self._values.append(value.removeprefix(b" "))
        return b""

    def _end_event(self) -> bytes:
        if not self._values:
            return b""
        text = b"\n".join(self._values)
        self._values.clear()
        if text.startswith(DONE_MARK):  # whatever follows: clients stop there
            self._is_done = True
            return b""
        event = _object_of(text)
        if event is None:
            self.dropped += 1
            return b""
        rewrite_event(event, self._disguise)
        return b"data: %b\n\n" % encode(event)


def rewritten_answer(body: bytes, disguise: Disguise) -> bytes:
    """A whole JSON answer; b"" when it is no JSON object, because raw text may say what is not to be known."""
    answer = _object_of(body.removeprefix(BOM))
    if answer is None:
        return b""
    _rewrite_top(answer, disguise)
    message = _of_first_choice(answer, "message")
    if message is not None:
        normalise_reasoning(message)
    return encode(answer)


def rewrite_event(event: JsonObject, disguise: Disguise) -> None:
    """One event of a stream, in place. A null role and absent choices break clients."""
    _rewrite_top(event, disguise)
    delta = _of_first_choice(event, "delta")
    if delta is not None:
        if "role" in delta and delta["role"] is None:
            del delta["role"]
        normalise_reasoning(delta)
    if event.get("choices") is None:
        event["choices"] = []


def normalise_reasoning(message: JsonObject) -> None:
    """`reasoning_content` under the two names that clients know, in place; one that is empty is left alone."""
    text = message.get("reasoning_content")
    if not isinstance(text, str) or not text:
        return
    if not message.get("reasoning"):
        message["reasoning"] = text
    if message.get("reasoning_details") is None:
        message["reasoning_details"] = [{"type": "reasoning.text", "text": text}]
    del message["reasoning_content"]


def _object_of(text: bytes) -> JsonObject | None:
    """A JSON object, with what is no UTF-8 replaced; None for anything else."""
    tree = read_object(text)
    if tree is None:
        mended = text.decode("utf-8", "replace").encode()
        tree = None if mended == text else read_object(mended)
    return tree


def _rewrite_top(tree: JsonObject, disguise: Disguise) -> None:
    if tree.get("model"):
        tree["model"] = disguise.model
    usage = tree.get("usage")
    if isinstance(usage, dict):
        for name in _PRICES:
            usage.pop(name, None)
    if disguise.error and tree.get("error"):
        tree["error"] = {"message": disguise.error}


def _of_first_choice(tree: JsonObject, name: str) -> JsonObject | None:
    choices = tree.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return None
    found = choices[0].get(name)
    return found if isinstance(found, dict) else None
