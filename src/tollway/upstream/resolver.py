"""Addresses of a name, from the system's resolver."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import TypeAlias

Resolve: TypeAlias = Callable[[str, int], Awaitable[tuple[str, ...]]]


async def resolve(host: str, port: int) -> tuple[str, ...]:
    """Each once, in the resolver's order. Raises OSError and UnicodeError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
