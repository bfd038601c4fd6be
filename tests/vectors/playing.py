"""An upstream that answers every request with bytes it is told to, in pieces, and says what an answer cost."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

STREAM = "text/event-stream"
JSON = "application/json"


class Playing:
    """`play` says what the next requests are answered with. `record`: what a look-up is told, None: 404; `looked_up`:
    the ids asked about so far."""

    def __init__(self) -> None:
        self.status, self.type, self.pieces = 200, JSON, [b"{}"]
        self.hangs = False
        self.record: bytes | None = None
        self.looked_up: list[str] = []
        player = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                self.send_response(player.status)
                self.send_header("Content-Type", player.type)
                if player.type == STREAM:
                    self.send_header("Transfer-Encoding", "chunked")
                    self.end_headers()
                    for piece in player.pieces:
                        self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                        self.wfile.flush()
                    if player.hangs:  # until the gateway has left
                        self.rfile.read(1)
                        self.close_connection = True
                        return
                    self.wfile.write(b"0\r\n\r\n")
                    return
                body = b"".join(player.pieces)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self) -> None:
                player.looked_up.append(self.path.partition("?id=")[2])
                self.send_response(404 if player.record is None else 200)
                self.send_header("Content-Length", str(len(player.record or b"")))
                self.end_headers()
                self.wfile.write(player.record or b"")

            def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002  (its name in http.server)
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def play(self, body: bytes, status: int = 200, type_: str = STREAM, size: int = 0, hangs: bool = False) -> None:
        """`size`: bytes of each piece; 0: all in one. `hangs`: a stream does not end by itself."""
        self.hangs, self.record = hangs, None
        self.looked_up.clear()
        step = size or max(1, len(body))
        self.pieces = [body[start : start + step] for start in range(0, len(body), step)]
        self.status, self.type = status, type_

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
