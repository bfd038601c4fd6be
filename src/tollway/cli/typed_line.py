"""A line that is typed while an event loop runs, which hears of Ctrl-C meanwhile.

`input` would not do there: asyncio turns the first Ctrl-C into a cancellation, which waits for whoever blocks the loop.
It also says what it asks on standard output, where the answer goes.
"""

import asyncio
import os
import sys
from typing import Final

import typer

_LINE_BYTES_MAX: Final = 4_096  # what a terminal takes of one


async def typed_line(asked: str) -> str:
    """With its end; empty where the terminal says that nothing more comes (Ctrl-D). asked: shown before it."""
    typer.echo(asked, nl=False, err=True)
    loop = asyncio.get_running_loop()
    typed: asyncio.Future[str] = loop.create_future()
    descriptor = sys.stdin.fileno()

    def read() -> None:
        loop.remove_reader(descriptor)
        typed.set_result(os.read(descriptor, _LINE_BYTES_MAX).decode(errors="replace"))

    loop.add_reader(descriptor, read)
    try:
        return await typed
    finally:
        loop.remove_reader(descriptor)
