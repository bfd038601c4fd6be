"""`tollway sim`: run the stand-in upstream."""

import asyncio
import gc
from pathlib import Path
from signal import SIGINT, SIGTERM
from typing import Annotated

import typer
import uvloop

from tollway.sim.options import SimOptions, parse_listen
from tollway.sim.server import start_sim

_YOUNG_OBJECTS_MAX = 50_000


def sim(
    listen: Annotated[str, typer.Option(help="HOST:PORT; port 0 lets the system choose.")] = "127.0.0.1:9900",
    record: Annotated[Path | None, typer.Option(help="Append what was asked and generated to this file.")] = None,
    record_sync: Annotated[
        bool, typer.Option("--record-sync", help="An answer is on disk before its last bytes are sent.")
    ] = False,
    key: Annotated[str | None, typer.Option(help="The only bearer key accepted; by default any is.")] = None,
    no_auth: Annotated[bool, typer.Option("--no-auth", help="Accept requests without a key.")] = False,
    tls: Annotated[bool, typer.Option("--tls", help="Serve HTTPS with a certificate made at start.")] = False,
    certificate_dir: Annotated[Path | None, typer.Option(help="Where --tls writes its certificates.")] = None,
    replay_dir: Annotated[Path | None, typer.Option(help="Recorded answers, one NAME.http file each.")] = None,
) -> None:
    """Run a stand-in upstream: an OpenRouter-compatible server of scripted models that costs nothing."""
    try:
        host, port = parse_listen(listen)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--listen") from error
    uvloop.run(
        _run_until_stopped(
            SimOptions(
                host=host,
                port=port,
                record_path=record,
                record_sync=record_sync,
                key=key,
                no_auth=no_auth,
                tls=tls,
                certificate_dir=certificate_dir,
                replay_dir=replay_dir,
            )
        )
    )


async def _run_until_stopped(options: SimOptions) -> None:
    running = await start_sim(options)
    stop_asked = asyncio.Event()
    for signal in (SIGTERM, SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal, stop_asked.set)
    running.failed.add_done_callback(lambda _: stop_asked.set())
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS_MAX, 50, 1000)
    if running.certificate_authority is not None:
        typer.echo(f"certificate authority: {running.certificate_authority}")
    typer.echo(f"listening on {running.origin}")
    await stop_asked.wait()
    failure = running.failed.exception() if running.failed.done() else None
    await running.stop()
    if failure is not None:
        raise failure
