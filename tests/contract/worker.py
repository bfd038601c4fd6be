"""What another process does in a contract test: `python worker.py <url> <what> <name> <count> <tasks> <pool size>`.

Prints one JSON object when it is done. It reads one line from stdin first, so that all processes start together.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable

from contract.scenario import START, a_hold, order, outcome
from tollway.billing.ledger import Hold
from tollway.storage.migrations.run import migrate
from tollway.storage.sql import settlement
from tollway.storage.sql.database import open_database
from tollway.storage.sql.funds import SqlFunds


async def _settle(funds: SqlFunds, _name: str, count: int, tasks: int) -> dict[str, int]:
    """Close request r1 `count` times from each task."""
    settled = outcome(a_hold("r1", 400), 150)

    async def one() -> int:
        receipts = [await funds.close(settled) for _ in range(count)]
        return sum(not receipt.repeated for receipt in receipts)

    return {"first": sum(await asyncio.gather(*(one() for _ in range(tasks))))}


async def _hold(funds: SqlFunds, name: str, count: int, tasks: int) -> dict[str, int]:
    """Take `tasks` holds of 100 at once, under ids of its own, `count` rounds."""
    orders = [order(f"{name}-{number}", 100) for number in range(tasks * count)]
    answers = await asyncio.gather(*(funds.hold(order_) for order_ in orders))
    return {"admitted": sum(isinstance(answer, Hold) for answer in answers)}


async def _die_settling(funds: SqlFunds, _name: str, _count: int, _tasks: int) -> dict[str, int]:
    """Killed after the usage row was written and before the entries."""
    settlement.post = _kill_self  # type: ignore[assignment]  # stands in for a power cut
    await funds.close(outcome(a_hold("r1", 400), 150))
    return {}


def _kill_self(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


WORK: dict[str, Callable] = {"settle": _settle, "hold": _hold, "die": _die_settling}


async def _main(url: str, what: str, name: str, count: int, tasks: int, pool_size: int) -> dict[str, int]:
    database = open_database(url, pool_size=pool_size, pool_wait_s=60.0, statement_timeout_s=60.0)
    try:
        return await WORK[what](SqlFunds(database, lambda: START), name, count, tasks)
    finally:
        await database.close()


if __name__ == "__main__":
    url, what, name, *numbers = sys.argv[1:]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    if what == "migrate":
        sys.stdout.write(json.dumps({"revision": migrate(url)}) + "\n")
    else:
        count, tasks, pool_size = map(int, numbers)
        sys.stdout.write(json.dumps(asyncio.run(_main(url, what, name, count, tasks, pool_size))) + "\n")
