import pytest

from tollway.upstream.framing import Framing, read_framing


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (200, [], Framing(False, b"")),
        (200, [(b"content-length", b"0")], Framing(True, b"")),
        (200, [(b"transfer-encoding", b"gzip, Chunked")], Framing(True, b"")),
        (200, [(b"transfer-encoding", b"gzip")], Framing(False, b"")),
        (204, [], Framing(True, b"")),
        (304, [], Framing(True, b"")),
        (200, [(b"content-encoding", b" GZIP "), (b"content-length", b"1")], Framing(True, b"gzip")),
        (200, [(b"content-encoding", b"Identity")], Framing(False, b"")),
        (200, [(b"content-encoding", b"gzip, br")], Framing(False, b"gzip, br")),
        (200, [(b"x-content-length", b"1"), (b"content-type", b"chunked")], Framing(False, b"")),
    ],
)
def test_what_a_head_says_of_its_body(status: int, headers: list[tuple[bytes, bytes]], expected: Framing) -> None:
    assert read_framing(status, headers) == expected
