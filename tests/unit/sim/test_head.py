"""Response heads."""

from tollway.sim.head import EVENTS, JSON, encode_head, encode_response


def test_a_plain_response() -> None:
    assert encode_response(200, JSON, b"{}") == (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
    )


def test_extra_headers_replace() -> None:
    extra = (("Content-Type", "text/plain"), ("X-A", "é"))
    head = encode_head(599, EVENTS, None, chunked=True, keep_alive=False, extra=extra)
    assert head == (
        b"HTTP/1.1 599 Unknown\r\ncontent-type: text/plain\r\ncache-control: no-cache\r\n"
        b"transfer-encoding: chunked\r\nconnection: close\r\nx-a: \xe9\r\n\r\n"
    )
