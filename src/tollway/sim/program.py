"""Run the stand-in as a program of its own, until it is told to stop."""

import asyncio
import gc
import sys
from signal import SIGINT, SIGTERM
from typing import Final

import uvloop

from tollway.sim.options import SimOptions
from tollway.sim.server import start_sim

_YOUNG_OBJECTS_MAX: Final = 50_000


def run_sim(options: SimOptions) -> None:
    """Serve until SIGTERM or SIGINT; says on standard output where. Raises OSError if the record cannot be kept."""
    uvloop.run(_serve(options))


async def _serve(options: SimOptions) -> None:
    running = await start_sim(options)
    stop_asked = asyncio.Event()
    for signal in (SIGTERM, SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal, stop_asked.set)
    running.failed.add_done_callback(lambda _: stop_asked.set())
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS_MAX, 50, 1000)
    if running.certificate_authority is not None:
        _say(f"certificate authority: {running.certificate_authority}")
    _say(f"listening on {running.origin}")
    await stop_asked.wait()
    failure = running.failed.exception() if running.failed.done() else None
    await running.stop()
    if failure is not None:
        raise failure


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
