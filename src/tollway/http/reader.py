"""Reads requests from bytes: strict heads, counted bodies. Pure: no transport and no clock.

A head is gathered, and read at once when it is beyond doubt; any other is checked and goes through the parser (llhttp).
A client that stays sends the same head again but for its length, and that is seen before anything is read.
A body of known length is cut exactly, so that what follows comes back untouched; a chunked one goes through the parser,
which reads on behind it, so that request is the connection's last.
"""

from typing import Final

import httptools

from tollway.errors import Code, Problem
from tollway.gateway.exchange import HeadNotes
from tollway.http.head import (
    blank_lines,
    check_head,
    check_partial_head,
    is_chunked,
    is_host,
    is_json,
    plain_path,
    without_upgrade,
)
from tollway.http.known_head import KnownHead
from tollway.http.routes import DROP_IN_PREFIXES, HOT_ROUTES
from tollway.settings import Limits
from tollway.wire.http_head import is_length, plain_head

IDLE, HEAD, BODY, DONE = range(4)  # how much of a request has come

_CR: Final = 13
_METHODS: Final = {method.encode(): method for method in ("POST", "GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS")}
# What decides on framing or reading: a head with one of these is for the parser.
_DOUBTFUL: Final = frozenset({b"transfer-encoding", b"content-encoding", b"upgrade", b"expect"})
_SINGLE_HEADERS: Final = frozenset(
    {b"host", b"content-type", b"content-length", b"content-encoding", b"transfer-encoding"}
)
_CREDENTIAL: Final = b"authorization"


class RequestReader:
    """One request after another. `problem` says why the present one is refused; nothing is read after that.

    `path` is decoded, `query` raw with its `?`; header names are lower-cased, repeated ones joined by a comma.
    `route` is set for a hot route: its path, and whether that came by a drop-in prefix. `notes` are about the head, and
    stay while the client sends the same one.
    """

    def __init__(self, limits: Limits) -> None:
        self.stage = IDLE
        self.problem: Problem | None = None
        self.is_last = False
        self.method = ""
        self.url = b""
        self.path = b""
        self.query = b""
        self.fields: dict[bytes, bytes] = {}
        self.speaks_1_1 = True
        self.keep_alive = True
        self.is_chunked = False
        self.route: tuple[str, bool] | None = None
        self.notes = HeadNotes()
        self.body_bytes = 0
        self._limits = limits
        self._plain_bytes_max = min(limits.request_line_bytes, limits.header_value_bytes, limits.headers_bytes)
        self._parser: httptools.HttpRequestParser | None = None
        self._known = KnownHead()
        self._head = bytearray()
        self._pieces: list[bytes] = []
        self._body_bytes_max = 0
        self._left = 0  # bytes of a body of known length that have not come
        self._framing_bytes = 0  # of a chunked body since its last data
        self._in_head = False
        self._repeated = self._two_credentials = False
        self._too_large = False

    @property
    def is_historic(self) -> bool:
        """Whether error bodies have their historic shape."""
        return self.url.startswith(DROP_IN_PREFIXES)

    @property
    def wants_continue(self) -> bool:
        """Whether the client waits for a word before it sends the body."""
        return self.speaks_1_1 and not self.body_bytes and self.fields.get(b"expect", b"").lower() == b"100-continue"

    def take_body(self) -> bytes:
        """The whole body, once."""
        pieces, self._pieces = self._pieces, []
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def take_whole(self, data: bytes) -> bool:
        """Whether `data` is exactly one request whose head is that of the one before but for its length: it is read."""
        if self.stage != IDLE or self._head:
            return False
        found = self._known.find_in(data)
        if found is None:
            return False
        length, end = found
        size = len(data) - end
        if size != int(length) or size > self._body_bytes_max:
            return False
        self.problem = None
        self.is_last = False
        self._set_length(length)
        self.body_bytes = size
        self._pieces = [data[end:]]
        self._left = 0
        self.stage = DONE
        return True

    def _set_length(self, length: bytes) -> None:
        if length != self.fields[b"content-length"]:
            self.fields = {**self.fields, b"content-length": length}  # whoever was given the others keeps them

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the present request; what lies behind its end comes back."""
        if self.stage == BODY:
            return self._feed_body(data)
        head = self._head
        if not head and data[0] != _CR:
            end = data.find(b"\r\n\r\n") + 4
            if end > 3:  # the ordinary case: the whole head in one piece
                return self._end_head(data[:end], data[end:])
        fresh = len(head)
        head += data
        if head[0] == _CR:
            del head[: blank_lines(head)]
            fresh = 0
            if not head or head == b"\r":
                return b""
        self.stage = HEAD
        end = head.find(b"\r\n\r\n", max(0, fresh - 3)) + 4
        if end < 4:
            code = check_partial_head(head, fresh, self._limits)
            self.problem = Problem(code) if code else None
            return b""
        first, rest = bytes(head[:end]), bytes(head[end:])
        head.clear()
        return self._end_head(first, rest)

    def _end_head(self, head: bytes, rest: bytes) -> bytes:
        self.problem = None
        self.is_last = False
        self.body_bytes = 0
        self._pieces = []
        if not self._is_known(head):
            self.notes = HeadNotes()
            if not self._read_plain_head(head):
                self._read_head(head)
        if self.problem or self.stage == DONE:
            return rest
        self.stage = BODY
        return self._feed_body(rest) if rest or not (self._left or self.is_chunked) else b""

    def _is_known(self, head: bytes) -> bool:
        """Whether this head is the last one with another length; all else that was read of that one holds."""
        found = self._known.find_in(head)
        if found is None or found[1] != len(head):
            return False
        self._left = int(found[0])
        self._set_length(found[0])
        return self._left <= self._body_bytes_max

    def _read_plain_head(self, head: bytes) -> bool:
        """Whether this head could be read at once, refused included."""
        self._known.forget()
        read = plain_head(head) if len(head) <= self._plain_bytes_max else None
        if read is None:
            return False
        line, fields = read
        words = line.split(b" ")
        if len(words) != 3 or words[2] != b"HTTP/1.1" or len(fields) > self._limits.headers_count:
            return False
        method = _METHODS.get(words[0])
        length = fields.get(b"content-length", b"0")
        if method is None or words[1][:1] != b"/" or not words[1].isascii():
            return False
        if not is_length(length) or not fields.keys().isdisjoint(_DOUBTFUL):
            return False
        if fields.get(b"connection", b"keep-alive").lower() != b"keep-alive":
            return False
        self.method, self.url, self.fields = method, words[1], fields
        self.speaks_1_1 = self.keep_alive = True
        self.is_chunked = False
        code = self._check_host() or self._check_target() or self._check_body()
        if code:
            self.problem = Problem(code)
        else:
            self._known.remember(head)
        return True

    def _read_head(self, head: bytes) -> None:
        self.url = b""
        self.method = ""
        self.fields = {}
        self.route = None
        code = check_head(head, self._limits)
        if code:
            self.problem = Problem(code)
            return
        self._framing_bytes = 0
        self._repeated = self._two_credentials = False
        self._too_large = False
        self.speaks_1_1 = head.startswith(b"1.1\r\n", head.find(b"\r\n") - 3)
        self._parser = httptools.HttpRequestParser(self)
        self._in_head = True
        self._feed_parser(self._parser, without_upgrade(head))
        self._in_head = False

    def _feed_body(self, data: bytes) -> bytes:
        if self.is_chunked:
            self._feed_chunks(data)
            return b""
        if len(data) <= self._left:
            part, rest = data, b""
        else:
            part, rest = data[: self._left], data[self._left :]
        self._left -= len(part)
        self._take(part)
        if not self._left:
            self.stage = DONE
        return rest

    def _feed_chunks(self, data: bytes) -> None:
        """Chunk sizes, extensions and trailers carry nothing, so there need not be many."""
        assert self._parser
        before = self.body_bytes
        self._feed_parser(self._parser, data)
        self._framing_bytes = 0 if self.body_bytes > before else self._framing_bytes + len(data)
        if self.stage == BODY and self._framing_bytes > self._limits.headers_bytes:
            self.problem = self.problem or Problem(Code.MALFORMED_HTTP, "chunk framing")

    def _feed_parser(self, parser: httptools.HttpRequestParser, data: bytes) -> None:
        try:
            parser.feed_data(data)
        except httptools.HttpParserCallbackError:
            raise  # a bug of ours
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if self.stage == DONE:
                self.is_last = True  # nonsense behind a chunked body
            elif not self.problem:
                self.problem = Problem(Code.MALFORMED_HTTP)

    # what the parser found

    def on_message_begin(self) -> None:
        if not self._in_head:  # a second request behind a chunked body
            self.is_last = True

    def on_url(self, url: bytes) -> None:
        if self._in_head:
            self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            return  # a trailer is never a header
        value = value.rstrip(b" \t")
        if len(value) > self._limits.header_value_bytes:
            self._too_large = True
        name = name.lower()
        if b"_" in name:
            return
        if name in self.fields:
            self._repeated = self._repeated or name in _SINGLE_HEADERS
            self._two_credentials = self._two_credentials or name == _CREDENTIAL
            value = b"%b, %b" % (self.fields[name], value)
        self.fields[name] = value

    def on_headers_complete(self) -> None:
        if not self._in_head or self._parser is None:
            return
        self.keep_alive = self.speaks_1_1 and self._parser.should_keep_alive()
        self.method = str(self._parser.get_method(), "ascii")
        code = self._check_headers() or self._check_target() or self._check_body()
        if code:
            self.problem = Problem(code)

    def _check_headers(self) -> Code | None:
        fields = self.fields
        if self._too_large:
            return Code.HEADERS_TOO_LARGE
        coding = fields.get(b"transfer-encoding")
        self.is_chunked = coding is not None
        if coding is not None and not (self.speaks_1_1 and is_chunked(coding) and b"content-length" not in fields):
            return Code.MALFORMED_HTTP
        if self._repeated:
            return Code.MALFORMED_HTTP
        if self._two_credentials:  # request-path 13.11
            return Code.INVALID_REQUEST if self.is_historic else Code.MALFORMED_HTTP
        return self._check_host()

    def _check_host(self) -> Code | None:
        return None if is_host(self.fields.get(b"host", b"")) else Code.MALFORMED_HTTP

    def _check_target(self) -> Code | None:
        path, mark, query = self.url.partition(b"?")
        self.query = mark + query if query else b""
        decoded = path if path in HOT_ROUTES else plain_path(path)
        if decoded is None or b"#" in query:
            return Code.INVALID_PATH if self.is_historic else Code.MALFORMED_HTTP
        self.path = decoded
        self.route = HOT_ROUTES.get(decoded) if self.method == "POST" else None
        return None

    def _check_body(self) -> Code | None:
        fields, limits = self.fields, self._limits
        if fields.get(b"content-encoding", b"identity").lower() != b"identity":
            return Code.UNSUPPORTED_MEDIA_TYPE
        # The drop-in prefixes never looked at it (request-path 2.1).
        if self.route and not self.route[1] and not is_json(fields.get(b"content-type", b"application/json")):
            return Code.UNSUPPORTED_MEDIA_TYPE
        self._left = int(fields.get(b"content-length", b"0"))
        self._body_bytes_max = limits.completion_body_bytes if self.route else limits.api_body_bytes
        return Code.BODY_TOO_LARGE if self._left > self._body_bytes_max else None

    def on_body(self, body: bytes) -> None:
        if self.is_chunked and not self.problem and self.stage != DONE:
            self._take(body)

    def _take(self, body: bytes) -> None:
        self.body_bytes += len(body)
        if self.body_bytes > self._body_bytes_max:
            self.problem = Problem(Code.BODY_TOO_LARGE)
        else:
            self._pieces.append(body)

    def on_message_complete(self) -> None:
        if self.is_chunked and not self.problem:
            self.stage = DONE
