"""A gateway that keeps requests and asks an abuse service, and what it has kept and counted."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.request import urlopen

from sqlalchemy import select

from flow.accounts import Accounts
from flow.programs import Gateway
from servers.abuse import AbuseService
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database
from tollway.storage.sql.transcript_tables import request_log
from vectors.conftest import settings_for_scripts
from vectors.scripted import ScriptedUpstream

PATIENCE_S = 20
KEPT = 'request_log.email_suffixes = ["@EXAMPLE.com"]'  # that is everybody whom Accounts makes


def judged(service: AbuseService, *more: str) -> str:
    """Lines for the top level."""
    known = f'abuse.base_url = "{service.url}/"\nabuse.client_id = "ann"\nabuse.client_secret = "s3cret-of-ours"'
    return "\n".join((known, KEPT, *more))


@contextmanager
def overseen(folder: Path, scripted: ScriptedUpstream, top: str) -> Iterator[Gateway]:
    gateway = Gateway(folder, settings_for_scripts(folder, scripted.url, f"retries.count_max = 0\n{top}"))
    try:
        yield gateway
        assert gateway.stop() == 0
    finally:
        gateway.end()


def kept_of(accounts: Accounts, user_id: str, count: int = 1) -> list[Any]:
    """The rows of that user, once there are so many."""

    async def work(_: SqlAdmin, database: Database) -> list[Any]:
        query = select(request_log).where(request_log.c.user_id == user_id).order_by(request_log.c.created_at)
        return await database.read(lambda connection: list(connection.execute(query).all()))

    until = monotonic() + PATIENCE_S
    while len(rows := accounts.run(work)) < count:
        assert monotonic() < until, rows
    return rows


def counted(gateway: Gateway, name: str) -> float:
    """A metric, 0 if it was never moved."""
    with urlopen(f"{gateway.url}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(f"{name} "))


def wait_for_count(gateway: Gateway, name: str, at_least: float) -> None:
    until = monotonic() + PATIENCE_S
    while counted(gateway, name) < at_least:
        assert monotonic() < until, name


def logged(gateway: Gateway, event: str, count: int) -> list[dict[str, Any]]:
    """Lines of the log about `event`, once there are so many."""
    until = monotonic() + PATIENCE_S
    while True:
        lines = [json.loads(line) for line in gateway.lines if f'"event":"{event}"' in line]
        if len(lines) >= count:
            return lines
        assert monotonic() < until, event
