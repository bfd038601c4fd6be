"""One request to the control plane without a network: it goes through the whole application."""

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class SecretError(Exception):
    """Whatever a bug may say."""


def ask(app: ASGIApp, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
    """What was sent, as far as it was; a SecretError is raised again behind its answer. Names of headers have `_` for
    `-`."""
    messages: list[Any] = []
    path, _, query = path.partition("?")

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        messages.append(message)

    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
        "client": ("192.0.2.7", 1),
        "server": ("192.0.2.1", 80),
        "state": {"request_id": "r-1"},  # a whole application puts its own there
    }

    async def run() -> None:
        with suppress(SecretError):
            await app(scope, receive, send)

    asyncio.run(run())
    sent = {name.decode(): value.decode() for name, value in messages[0]["headers"]}
    return Answer(messages[0]["status"], sent, b"".join(message["body"] for message in messages[1:]))
