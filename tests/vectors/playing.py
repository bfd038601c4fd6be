"""An upstream that answers every request with bytes it is told to, in pieces."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

STREAM = "text/event-stream"
JSON = "application/json"


class Playing:
    """`play` says what the next requests are answered with."""

    def __init__(self) -> None:
        self.status, self.type, self.pieces = 200, JSON, [b"{}"]
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
                    self.wfile.write(b"0\r\n\r\n")
                    return
                body = b"".join(player.pieces)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002  (its name in http.server)
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def play(self, body: bytes, status: int = 200, type_: str = STREAM, size: int = 0) -> None:
        """`size`: bytes of each piece; 0: all in one."""
        step = size or max(1, len(body))
        self.pieces = [body[start : start + step] for start in range(0, len(body), step)]
        self.status, self.type = status, type_

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
