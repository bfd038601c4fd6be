"""Responses answers, written from what a chat answer tells: event by event, and whole at the end."""

from typing import Final

from msgspec import Struct
from msgspec.json import encode

from tollway.wire.dialects.chat_output import CONTENT_FILTER, LENGTH
from tollway.wire.dialects.details import OPENAI, Detail
from tollway.wire.dialects.provider_error import ProviderError
from tollway.wire.dialects.responses_items import IN_PROGRESS, CallItem, Event, Item, MessageItem, ReasoningItem
from tollway.wire.json_body import JsonObject
from tollway.wire.usage import Usage

COMPLETED: Final = "completed"
INCOMPLETE: Final = "incomplete"
FAILED: Final = "failed"

_CUT: Final = {LENGTH: "max_output_tokens", CONTENT_FILTER: "content_filter"}  # by chat finish reason
_CODES: Final = {429: "rate_limit_exceeded", 400: "invalid_prompt"}  # by status, as far as the API has names
_SERVER_ERROR: Final = "server_error"
_PIECE_BYTES: Final = 128  # what a piece takes besides its text
_ITEM_ID_CHARS_MAX: Final = 64


class ResponseHead(Struct, frozen=True):
    """What is known before the model answers. `id` begins with `resp_`, `created_at` is in Unix seconds, `model` is
    what an answer that names none is said to come from, `echo` what it repeats of its request."""

    id: str
    created_at: int
    model: str
    echo: JsonObject


class Ending(Struct, frozen=True):
    """How an answer ends. finish_reason: the chat one; error: of an answer that did not end as it should."""

    finish_reason: str | None = None
    usage: Usage | None = None
    error: ProviderError | None = None

    @property
    def status(self) -> str:
        if self.error:
            return FAILED
        return INCOMPLETE if self.finish_reason in _CUT else COMPLETED

    @property
    def item_status(self) -> str:
        """Of the items that were still growing."""
        return COMPLETED if self.status == COMPLETED else INCOMPLETE

    def members(self) -> JsonObject:
        """What the response says of it."""
        usage = self.usage
        told: JsonObject = {"status": self.status, "usage": _usage_member(usage) if usage else None}
        if self.error:
            told["error"] = {"code": _CODES.get(self.error.status, _SERVER_ERROR), "message": self.error.message}
        elif self.status == INCOMPLETE:
            told["incomplete_details"] = {"reason": _CUT[self.finish_reason or ""]}
        return told


class ResponseWriter:
    """Writes the events of one answer; every method returns bytes, b"" for nothing to tell.

    `kept_bytes`: about how much memory the answer takes, since its last event repeats it whole.
    """

    __slots__ = ("_calls", "_head", "_items", "_number", "_open", "_reasoning_ids", "_suffix", "kept_bytes")

    def __init__(self, head: ResponseHead) -> None:
        self._head = head
        self._suffix = head.id.removeprefix("resp_")
        self._number = 0
        self._items: list[tuple[Item, str]] = []  # with the status each had at its end
        self._open: int | None = None  # the place of the message or reasoning that grows
        self._calls: dict[int, int] = {}  # places of calls, all of which may grow, by their chat index
        self._reasoning_ids: set[str] = set()
        self.kept_bytes = 0

    def start(self, model: str) -> bytes:
        """model: that of the answer."""
        if model:
            self._head = ResponseHead(self._head.id, self._head.created_at, model, self._head.echo)
        response = self._response({"status": IN_PROGRESS})
        return b"".join(
            [self._event(f"response.{kind}", {"response": response}) for kind in ("created", "in_progress")]
        )

    def say(self, kind: str, text: str) -> bytes:
        """kind: OUTPUT_TEXT or REFUSAL."""
        if not text:
            return b""
        self.kept_bytes += _PIECE_BYTES + len(text)
        item, begun = self._current(), b""
        if not isinstance(item, MessageItem):
            item = MessageItem(self._new_id("msg"))
            begun = self._begin(item)
        return begun + self._tell(item, item.add(kind, text))

    def think(self, detail: Detail) -> bytes:
        self.kept_bytes += _PIECE_BYTES + len(detail.content) + len(detail.signature or "")
        item, begun = self._current(), b""
        if not isinstance(item, ReasoningItem) or not item.takes(detail):
            item = ReasoningItem(self._reasoning_id(detail), detail.id)
            begun = self._begin(item)
        return begun + self._tell(item, item.add(detail))

    def call(self, index: int, call_id: str, name: str, fragment: str) -> bytes:
        """A call, or more of it. index: the chat one; the rest is empty where it is not told."""
        self.kept_bytes += _PIECE_BYTES + len(fragment)
        begun, place = b"", self._calls.get(index)
        if place is None:
            item = CallItem(self._new_id("fc"), call_id or self._new_id("call"), name)
            begun = self._end_open(COMPLETED) + self._add(item)
            place = self._calls[index] = len(self._items) - 1
        known = self._items[place][0]
        assert isinstance(known, CallItem)
        return begun + self._tell(known, known.add(name, fragment), place)

    def finish(self, ending: Ending) -> bytes:
        """The last events of an answer."""
        ended = self._end_all(ending.item_status)
        return ended + self._event(f"response.{ending.status}", {"response": self._response(ending.members())})

    def whole(self, ending: Ending) -> JsonObject:
        """The response as it is when it has ended."""
        self._end_all(ending.item_status)
        return self._response(ending.members())

    def _current(self) -> Item | None:
        return None if self._open is None else self._items[self._open][0]

    def _new_id(self, kind: str) -> str:
        return f"{kind}_{self._suffix}_{len(self._items)}"

    def _reasoning_id(self, detail: Detail) -> str:
        """OpenAI's own where it is the first item of it, since OpenAI looks at it when it comes back."""
        id_ = detail.id
        if id_ and detail.format == OPENAI and len(id_) <= _ITEM_ID_CHARS_MAX and id_ not in self._reasoning_ids:
            self._reasoning_ids.add(id_)
            return id_
        return self._new_id("rs")

    def _begin(self, item: Item) -> bytes:
        ended = self._end_open(COMPLETED)
        begun = self._add(item)
        self._open = len(self._items) - 1
        return ended + begun

    def _add(self, item: Item) -> bytes:
        self._items.append((item, IN_PROGRESS))
        members = {"output_index": len(self._items) - 1, "item": item.value(IN_PROGRESS)}
        return self._event("response.output_item.added", members)

    def _end_open(self, status: str) -> bytes:
        place, self._open = self._open, None
        return b"" if place is None else self._end(place, status)

    def _end_all(self, status: str) -> bytes:
        """The items that were still growing, in their order."""
        growing = [place for place, (_, known) in enumerate(self._items) if known == IN_PROGRESS]
        self._open = None
        return b"".join([self._end(place, status) for place in growing])

    def _end(self, place: int, status: str) -> bytes:
        item = self._items[place][0]
        self._items[place] = (item, status)
        told = self._tell(item, item.ended(), place)
        return told + self._event("response.output_item.done", {"output_index": place, "item": item.value(status)})

    def _tell(self, item: Item, events: list[Event], place: int | None = None) -> bytes:
        """place: of the item; None: the one that grows."""
        told = {"item_id": item.id, "output_index": self._open if place is None else place}
        return b"".join([self._event(kind, {**told, **members}) for kind, members in events])

    def _event(self, kind: str, members: JsonObject) -> bytes:
        number = self._number
        self._number += 1
        data = encode({"type": kind, "sequence_number": number, **members})
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), data)

    def _response(self, members: JsonObject) -> JsonObject:
        head = self._head
        text = head.echo.get("text")
        return {
            "id": head.id,
            "object": "response",
            "created_at": head.created_at,
            "status": COMPLETED,
            "background": False,
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "max_output_tokens": None,
            "metadata": {},
            "parallel_tool_calls": True,
            "previous_response_id": None,
            "reasoning": {"effort": None, "summary": None},
            "temperature": None,
            "tool_choice": "auto",
            "tools": [],
            "top_p": None,
            "truncation": "disabled",
            "usage": None,
            "user": None,
            **head.echo,
            "model": head.model,
            "store": False,
            "text": {"format": {"type": "text"}, **(text if isinstance(text, dict) else {})},
            "output": [item.value(known) for item, known in self._items],
            **members,
        }


def _usage_member(usage: Usage) -> JsonObject:
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }
