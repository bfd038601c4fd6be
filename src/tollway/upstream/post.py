"""JSON for a service that the operator names: a webhook, a receiver of records, a sink of events.

Over the same pools as what goes to upstreams: no redirects, no cookies, no environment proxies. Such an address comes
from the settings alone, never from a request.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from tollway.gateway.upstream_port import Failure, FailureKind
from tollway.providers.registry import Origin
from tollway.settings_error import SettingsError
from tollway.upstream.client import HttpUpstreams
from tollway.upstream.fetch import fetch

_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, repr=False)
class Receiver:
    """One of them. `head` is the request's up to its length; address and headers may be secrets, so no repr."""

    id: str
    origin: Origin
    head: bytes


def receiver_of(setting: str, url: str, headers: Mapping[str, str] | None = None) -> Receiver:
    """The receiver at `url`, which `setting` names, with further headers. Raises SettingsError."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise SettingsError(f"{setting}: is not a URL") from None
    target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc:
        raise SettingsError(f"{setting}: must be http(s)://host[:port][/path] without user")
    if not all("!" <= character <= "~" for character in parts.hostname + target):
        raise SettingsError(f"{setting}: must be plain ASCII")
    origin = Origin(parts.scheme, parts.hostname, port or _PORTS[parts.scheme])
    lines = {"Host": origin.authority, "Content-Type": "application/json", "User-Agent": "Tollway", **(headers or {})}
    for name, value in lines.items():
        if not value.isascii() or not value.isprintable():
            raise SettingsError(f"{setting}: {name} must be printable ASCII")
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return Receiver(setting, origin, f"POST {target} HTTP/1.1\r\nAccept-Encoding: identity\r\n{head}".encode())


async def post(
    client: HttpUpstreams, receiver: Receiver, body: bytes, within_s: float, *, once: bool = False
) -> str | None:
    """None when it was taken (2xx) in time, else why not, for the log. `once`: rather not at all than twice."""
    head = receiver.head + b"Content-Length: %d\r\n" % len(body)
    try:
        async with asyncio.timeout(within_s):
            answer = await fetch(client, receiver, head, body, reuse=not once)
    except TimeoutError:
        return f"{FailureKind.TIMEOUT}: no answer within {within_s:g} s"
    if isinstance(answer, Failure):
        return f"{answer.kind}: {answer.detail}"
    status, _ = answer
    return None if 200 <= status < 300 else f"status {status}"
