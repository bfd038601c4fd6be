"""How an answer's pieces are spelled as bytes: line ends, byte order mark, comments, gzip."""

import zlib
from collections.abc import Iterator
from typing import Final

from tollway.sim.answer import Kind, Piece
from tollway.sim.control import Control, LineEnd

_LINE_ENDS: Final = {LineEnd.LF: b"\n", LineEnd.CRLF: b"\r\n", LineEnd.CR: b"\r"}
_COMMENT: Final = b": OPENROUTER PROCESSING\n\n"
_GZIP_WINDOW_BITS: Final = 31


def spell_stream(pieces: Iterator[Piece], control: Control) -> Iterator[Piece]:
    """Apply what only an event stream has; the pieces are whole events."""
    if control.comments:
        pieces = _with_comments(pieces)
    if control.line_end is not LineEnd.LF:
        end = _LINE_ENDS[control.line_end]
        pieces = (piece._replace(data=piece.data.replace(b"\n", end)) for piece in pieces)
    return _with_mark(pieces) if control.bom else pieces


def compress(pieces: Iterator[Piece], control: Control) -> Iterator[Piece]:
    """Apply the content encoding; every piece can be decoded as soon as it arrives."""
    if control.content_encoding is None:
        yield from pieces
        return
    gzip = zlib.compressobj(wbits=_GZIP_WINDOW_BITS)
    for piece in pieces:
        if piece.kind is Kind.STRIKE:
            yield piece
            continue
        flush = zlib.Z_FINISH if piece.kind is Kind.LAST else zlib.Z_SYNC_FLUSH
        yield piece._replace(data=gzip.compress(piece.data) + gzip.flush(flush))
        if piece.kind is Kind.LAST:
            gzip = zlib.compressobj(wbits=_GZIP_WINDOW_BITS)


def _with_comments(pieces: Iterator[Piece]) -> Iterator[Piece]:
    for piece in pieces:
        if piece.kind is not Kind.STRIKE and piece.data:
            yield Piece(Kind.OPENING, _COMMENT)
        yield piece


def _with_mark(pieces: Iterator[Piece]) -> Iterator[Piece]:
    first = True
    for piece in pieces:
        yield piece._replace(data=b"\xef\xbb\xbf" + piece.data) if first else piece
        first = False
