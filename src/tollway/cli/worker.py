"""The life of a worker process, which the supervisor has forked.

It says to `ready` that it serves, and drains when `life` ends: the supervisor is gone, and nobody else would stop it.
"""

import asyncio
import socket
import sys
from contextlib import suppress

import uvloop

from tollway.app import open_worker
from tollway.billing.store import StoreUnavailableError
from tollway.cli.start import prepare
from tollway.cli.supervisor import PREPARED_BYTE, READY_BYTE
from tollway.http.listener import open_listener
from tollway.observability.logs import configure_logs
from tollway.settings import Settings, SettingsError, load


def run_worker(port: int, ready: socket.socket, life: socket.socket) -> int:
    """Its exit code: 0 after an orderly stop. Settings are read anew: they may have been corrected since."""
    try:
        settings = load()
        configure_logs(settings.log_level)
        listener = open_listener(settings.host, port)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings, listener, ready, life))
    except SettingsError as error:
        return _refuse(str(error))
    except StoreUnavailableError as error:
        return _refuse(f"database_url: {error}")
    except OSError as error:
        return _refuse(error.strerror or type(error).__name__)
    return 0


def _refuse(why: str) -> int:
    """The one line that a start which fails says."""
    print(f"tollway: {why}", file=sys.stderr)  # noqa: T201  (logs may not be set up yet)
    return 1


async def _serve(settings: Settings, listener: socket.socket, ready: socket.socket, life: socket.socket) -> None:
    def say(byte: bytes) -> None:
        with suppress(OSError):  # nobody hears it: the reader of LIFE_FD finds out
            ready.send(byte)

    try:
        await prepare(settings)
    except OSError as error:
        raise SettingsError(f"database_url: the file cannot be used: {error.strerror}") from None
    say(PREPARED_BYTE)
    worker = await open_worker(settings)

    def say_ready() -> None:
        say(READY_BYTE)
        ready.close()
        asyncio.get_running_loop().add_reader(life, on_supervisor_gone)

    def on_supervisor_gone() -> None:
        asyncio.get_running_loop().remove_reader(life)
        life.close()
        worker.server.stop()

    await worker.run(listener, say_ready)
