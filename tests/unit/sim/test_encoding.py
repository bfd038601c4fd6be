"""Spelling: line ends, the byte order mark, comments, gzip that can be read as it comes."""

import zlib

from tollway.sim.answer import Kind, Piece
from tollway.sim.control import PLAIN, Control, LineEnd
from tollway.sim.encoding import compress, spell_stream

PIECES = (
    Piece(Kind.OPENING, b"data: a\n\n"),
    Piece(Kind.STRIKE, b""),
    Piece(Kind.LAST, b"data: [DONE]\n\n"),
    Piece(Kind.LAST, b"more"),
)


def spelled(control: Control) -> list[bytes]:
    return [piece.data for piece in compress(spell_stream(iter(PIECES), control), control)]


def test_plain_is_untouched() -> None:
    assert spelled(PLAIN) == [piece.data for piece in PIECES]


def test_line_ends_mark_and_comments() -> None:
    assert spelled(Control(line_end=LineEnd.CR, bom=True, comments=True))[:2] == [
        b"\xef\xbb\xbf: OPENROUTER PROCESSING\r\r",
        b"data: a\r\r",
    ]


def test_gzip_can_be_read_piece_by_piece() -> None:
    first, strike, last, more = spelled(Control(content_encoding="gzip"))
    stream = zlib.decompressobj(wbits=31)
    assert stream.decompress(first) == b"data: a\n\n"
    assert strike == b""
    assert stream.decompress(last) == b"data: [DONE]\n\n"
    assert stream.eof
    assert zlib.decompress(more, wbits=31) == b"more"
