"""`tollway sim`: run the stand-in upstream."""

from pathlib import Path
from typing import Annotated

import typer

from tollway.sim.arguments import DEFAULT_LISTEN
from tollway.sim.options import SimOptions, parse_listen
from tollway.sim.program import run_sim


def sim(
    listen: Annotated[str, typer.Option(help="HOST:PORT; port 0 lets the system choose.")] = DEFAULT_LISTEN,
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
    options = SimOptions(
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
    run_sim(options)
