"""The tap beside the relay: finds events however the bytes were cut, and reads the few that matter for money.

Sans-io and allowed no mistakes: whatever an upstream sends, `feed` never raises, never delays a complete event, and
decodes JSON only where an event can matter. Keys are recognised by their plain spelling (`"usage"`); inside a JSON
string quotes are escaped, so text written by a model cannot imitate one. `_spelling` and the learned frame make this
fast and change no result. Source: response-path 6.2, 4.8, guarantees S1–S3.
"""

import re
from typing import Final

from msgspec import Raw

from tollway.wire.answer import BOM, first_choice, label, provider_of, read_envelope
from tollway.wire.usage import Usage, read_usage

LINE_BYTES_MAX: Final = 1 << 20

_LINE_END: Final = rb"(?:\r\n?+|\n)"  # possessive: a CR never lets go of its LF
_EVENT_END: Final = re.compile(_LINE_END + _LINE_END)
_LINE_END_BYTES: Final = b"\r\n"
_DONE: Final = b"[DONE]"
_NULL: Final = Raw(b"null")

_MATTERS: Final = re.compile(rb'"(?:error"\s*:|usage"\s*:\s*\{|finish_reason"\s*:\s*"|provider_metadata"\s*:\s*\{)')
_PROVIDER: Final = re.compile(rb'"provider"\s*:\s*(?:null|"[^"\\\r\n]*+")').match
# What a model produced, under all names in use. The match of a piece of text ends where the text, not empty, begins.
_PIECE: Final = re.compile(
    rb'"(?:content|reasoning|reasoning_content|refusal|text|arguments|transcript|data)"\s*:\s*"(?!")'
)
_OBJECTS: Final = re.compile(rb'"(?:tool_calls|images)"\s*:\s*\[\s*\{|"function_call"\s*:\s*\{\s*"')
_TEXT: Final = re.compile(rb'(?!")[^"\\\r\n]*+(?:\\[^\r\n][^"\\\r\n]*+)*+').match  # what a JSON string holds, not empty
_PADDING: Final = b'"obfuscation":"'
_SPELLING_BYTES_MAX: Final = 64
_LEARN_EVERY: Final = 8  # pieces of output
_UNNAMED_EVENTS_MAX: Final = 16  # how many events are opened in search of the answer's id and model


class StreamScanner:
    """Feed it the body of a stream; it gives back what may be forwarded and collects the facts.

    `deltas`: events with a non-empty piece of output, each at least one token. `body_bytes`: bytes fed. `message_id`,
    `model`, `inference_provider` and `finish_reason` are the last non-empty ones of the events that were opened: the
    first events until id and model are known, and all with a usage object, an `error` key, a finish reason, or another
    inference provider than before. `ending` holds the `[DONE]` event, to be written when the charge is safe.
    `too_long`: an event exceeded `line_bytes_max`, counted without the blank line that ends it; nothing is returned
    from there on.
    """

    __slots__ = (
        "_at_start",
        "_head",
        "_head_size",
        "_kept",
        "_last",
        "_limit",
        "_over",
        "_provider",
        "_spelling",
        "_tail",
        "_tail_size",
        "_unnamed",
        "_usage_at",
        "body_bytes",
        "deltas",
        "done",
        "ending",
        "finish_reason",
        "has_error",
        "inference_provider",
        "message_id",
        "model",
        "too_long",
        "usage",
    )

    def __init__(self, line_bytes_max: int = LINE_BYTES_MAX) -> None:
        self.done = False
        self.too_long = False
        self.ending = b""
        self.message_id: str | None = None
        self.model: str | None = None
        self.inference_provider: str | None = None
        self.finish_reason: str | None = None
        self.usage: Usage | None = None
        self.has_error = False
        self.deltas = 0
        self.body_bytes = 0
        self._limit = line_bytes_max
        self._kept = bytearray()  # an incomplete event; never begins with a line end
        self._over = False  # done or too long
        self._at_start = True  # a byte order mark may still come
        self._unnamed = _UNNAMED_EVENTS_MAX
        self._usage_at = -1  # how much output there was before the last usage that came without any choice
        self._provider = b"\0"  # how this upstream last wrote who serves it, key and value
        self._spelling = b'"content":"'  # how this upstream last wrote the key before a piece of output
        self._head = self._tail = b"\0"  # the learned frame: see _learn
        self._head_size = self._tail_size = 1
        self._last = b""

    @property
    def at_boundary(self) -> bool:
        """No event is half received: another one may be written to the client."""
        return not self._kept

    @property
    def has_output(self) -> bool:
        """At least one piece of output passed (guarantees M7): content, reasoning, refusal, tool call, audio, image."""
        return self.deltas > 0

    @property
    def is_ended(self) -> bool:
        """The upstream said all it had to say: `[DONE]`, a finish reason, or its usage behind all output, which is the
        last thing that upstreams tell."""
        return self.done or self.finish_reason is not None or self._usage_at == self.deltas > 0

    def feed(self, data: bytes) -> bytes:
        """The bytes, unchanged and in order, of all events that `data` completed; b"" if none.

        An incomplete event is kept until it is complete. The `[DONE]` event goes to `ending`; after it, and from an
        event that is too long, nothing is returned.
        """
        size = len(data)
        self.body_bytes += size
        if not self._kept and not self._over and size <= self._limit and self._is_framed(data, 0, size):
            self.deltas += 1
            return data
        return self._take(data)

    def takes(self, data: bytes, begin: int, end: int) -> bool:
        """Whether data[begin:end] is one more event of the learned form, wholly taken by this call: the caller may
        forward it. False: nothing has changed, and it has to be fed. Also once an error was reported, because what
        follows one is looked at before it is shown."""
        size = end - begin
        if self._kept or self._over or self.has_error or size > self._limit or not self._is_framed(data, begin, end):
            return False
        self.body_bytes += size
        self.deltas += 1
        return True

    def close(self) -> bytes:
        """End of the body: what was kept, treated as a complete event; b"" if nothing was."""
        kept = bytes(self._kept)
        self._kept.clear()
        if self._over or not kept:
            return b""
        if self._is_done(kept):
            self._finish(kept)
            return b""
        self._open(kept, b"")
        return kept

    def _take(self, data: bytes) -> bytes:
        """The general case: any cut, any line ends, several events at once."""
        if self._over:
            return b""
        kept = self._kept
        if kept:
            searched = max(0, len(kept) - 2)  # a CR LF may continue an end that began in what was kept
            kept += data
            if _EVENT_END.search(kept, searched) is None:
                self._check_kept()
                return b""
            data = bytes(kept)
            kept.clear()
        return self._split(data)

    def _split(self, data: bytes) -> bytes:
        """Cut `data`, which begins where an event begins, into events; returns the bytes of the complete ones."""
        begin, size = 0, len(data)
        has_cr = b"\r" in data
        while begin < size:
            if data[begin] in _LINE_END_BYTES:  # blank lines between events belong to none
                begin += 1
                self._at_start = False
                continue
            end, after = _event_end(data, begin, has_cr)
            if end < 0:
                break
            if end - begin > self._limit:
                self.too_long = self._over = True
                return data[:begin]
            if self._is_framed(data, begin, after):
                self.deltas += 1
                begin = after
                continue
            event = data[begin:end]
            if self._is_done(event):
                if after == size and data.endswith(b"\r"):
                    break  # an LF may follow that belongs to the ending
                self._finish(data[begin:after])
                return data[:begin]
            self._open(event, data[end:after])
            begin = after
        else:
            return data
        self._kept += data[begin:]
        self._check_kept()
        return data[:begin]

    def _check_kept(self) -> None:
        if len(self._kept) > self._limit + 3:  # + 3: its last lines may have ended already
            self.too_long = self._over = True
            self._kept.clear()

    def _finish(self, ending: bytes) -> None:
        self.done = self._over = True
        self.ending = ending

    def _is_done(self, event: bytes) -> bool:
        """Clients stop at data that begins with `[DONE]`, whatever follows; so do we."""
        return _DONE in event and self._data_of(event).startswith(_DONE)

    def _open(self, event: bytes, blank: bytes) -> None:
        """Take the facts of one event, given without the line ends that end it, `blank`."""
        if event.startswith(b"data: {") and b"\n" not in event and b"\r" not in event:
            at = self._examine(event, len(b"data: "))
            if at and self.deltas % _LEARN_EVERY == 0:
                self._learn(event, at, blank)
        else:
            self._examine(self._data_of(event), 0)
        self._at_start = False

    def _data_of(self, event: bytes) -> bytes:
        """The values of the event's `data` fields, joined with LF; b"" if it has none."""
        lines = event.splitlines()  # of bytes: at CR LF, LF and CR only
        if self._at_start and lines:
            lines[0] = lines[0].removeprefix(BOM)
        values = [line[5:] for line in lines if line.startswith(b"data:")]
        return b"\n".join([value.removeprefix(b" ") for value in values])

    def _examine(self, event: bytes, json_at: int) -> int:
        """Take the facts of an event, a line or data whose JSON begins at `json_at`.

        Returns where its piece of output begins if that is all there is to it, else 0.
        """
        matters = self._tells_provider(event) or self._unnamed > 0 or _MATTERS.search(event) is not None
        if matters and self._read(event[json_at:]):
            return 0
        at = event.rfind(self._spelling) + len(self._spelling)
        if at < len(self._spelling) or event[at : at + 1] == b'"':
            piece = _PIECE.search(event)
            if piece is None:
                self.deltas += _OBJECTS.search(event) is not None
                return 0
            at = piece.end()
            if at - piece.start() <= _SPELLING_BYTES_MAX:
                self._spelling = piece.group()
        self.deltas += 1
        return 0 if matters else at

    def _tells_provider(self, event: bytes) -> bool:
        """`event` names another inference provider than the last that named one; then the frame is no longer sure."""
        at = event.find(b'"provider"')
        if at < 0 or event.startswith(self._provider, at):
            return False
        found = _PROVIDER(event, at)
        self._provider, self._head = found.group() if found else self._provider, b"\0"
        return True

    def _is_framed(self, data: bytes, begin: int, end: int) -> bool:
        """data[begin:end], an event with its blank line, is the learned one but for its text (and its padding)."""
        if not data.startswith(self._head, begin):
            return False
        text = _TEXT(data, begin + self._head_size, end)
        if text is None:
            return False
        rest = text.end() + self._tail_size
        if not data.startswith(self._tail, text.end(), end):
            return False
        if not self._last:
            return rest == end
        padding = _TEXT(data, rest, end)
        return padding is not None and data[padding.end() : end] == self._last

    def _learn(self, event: bytes, at: int, blank: bytes) -> None:
        """Remember an event that matters only for the text that begins at `at`: what is before it and what follows.

        Another event with the same head and tail has the same keys, so it matters as little and holds one more piece of
        output. OpenAI pads events with random text (`"obfuscation":"…"}`, at the very end): the tail stops before it.
        """
        text = _TEXT(event, at)
        assert text is not None  # a piece of output does not begin with a quote
        tail, last = event[text.end() :] + blank, b""
        padding = tail.find(_PADDING) + len(_PADDING)
        if padding >= len(_PADDING):
            text = _TEXT(tail, padding)
            if text is None:
                return
            tail, last = tail[:padding], tail[text.end() :]
        self._head, self._head_size = event[:at], at
        self._tail, self._tail_size, self._last = tail, len(tail), last

    def _read(self, text: bytes) -> bool:
        """Take the facts of an event's JSON; True when it reports an error, which is no output."""
        envelope = read_envelope(text)
        if envelope is None:
            return False
        choice = first_choice(envelope)
        self.message_id = label(envelope.id) or self.message_id
        self.model = label(envelope.model) or self.model
        self.inference_provider = provider_of(envelope, choice) or self.inference_provider
        if choice is not None:
            self.finish_reason = label(choice.finish_reason) or self.finish_reason
        usage = read_usage(envelope.usage)
        if usage is not None:
            self.usage = usage
            if choice is None:
                self._usage_at = self.deltas
        self._unnamed = 0 if self.message_id and self.model else max(0, self._unnamed - 1)
        if envelope.error:
            self.has_error = True
        return bool(envelope.error) and envelope.error != _NULL  # some upstreams write a null error into every event


def _event_end(data: bytes, begin: int, has_cr: bool) -> tuple[int, int]:
    """Where the event at `begin` ends: before and after its last line end and blank line; (-1, -1): not yet."""
    if not has_cr:
        end = data.find(b"\n\n", begin)
        return end, end + 2
    found = _EVENT_END.search(data, begin)
    return found.span() if found else (-1, -1)
