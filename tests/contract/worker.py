"""What another process does in a contract test: `python worker.py <url> <what> <name> <count> <tasks> <pool size>`.

Prints one JSON object when it is done. It reads one line from stdin first, so that all processes start together.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable

from contract.desk import Desk
from contract.scenario import ANN, START, a_hold, order, outcome
from tollway.billing.store import Leased, Recalled
from tollway.storage.migrations.run import migrate
from tollway.storage.sql import settlement
from tollway.storage.sql.billing import SqlBooks
from tollway.storage.sql.database import open_database


async def _settle(books: SqlBooks, _name: str, count: int, tasks: int) -> dict[str, int]:
    """Settle request r1 `count` times from each task."""
    settled = outcome(a_hold("r1", 400), 150)

    async def one() -> int:
        return sum([await books.settle("w1", [settled]) == () for _ in range(count)])

    return {"first": sum(await asyncio.gather(*(one() for _ in range(tasks))))}


async def _lease(books: SqlBooks, name: str, count: int, tasks: int) -> dict[str, int]:
    """`tasks` requests of 100 at once, `count` rounds, none of them ends; asks again after a recall, once."""
    await books.enlist(name, "node")
    desk = Desk(books, name)
    turn = asyncio.Lock()  # a desk is no match for two requests at once

    async def one(number: int) -> None:
        async with turn:
            answer = await desk.hold(f"{name}-{number}", 100, ANN, sharers=2)
        if isinstance(answer, Recalled):
            async with turn:
                await desk.give_back()
                await desk.hold(f"{name}-{number}", 100, ANN, sharers=2, last=True)

    for turns in range(count):
        await asyncio.gather(*(one(turns * tasks + number) for number in range(tasks)))
    holds = list(desk.open.values())
    return {
        "whole": sum(not hold.is_partly_covered for hold in holds),
        "partly": sum(hold.is_partly_covered for hold in holds),
        "leased": desk.slice(ANN),
    }


async def _lease_apart(books: SqlBooks, name: str, count: int, tasks: int) -> dict[str, int]:
    """`count` × `tasks` orders of 100 at once, each from a worker that has nothing free and keeps nothing."""
    await books.enlist(name, "node")
    orders = [order(f"{name}-{number}", 100, worker=name, last=True) for number in range(tasks * count)]
    held = [answer.held for answer in await asyncio.gather(*map(books.lease, orders)) if isinstance(answer, Leased)]
    return {"whole": held.count((100,)), "partly": sum(amounts != (100,) for amounts in held)}


async def _die_settling(books: SqlBooks, _name: str, _count: int, _tasks: int) -> dict[str, int]:
    """Killed after the usage rows were written and before the entries."""
    settlement.ENTRIES.insert = _kill_self  # type: ignore[method-assign]  # stands in for a power cut
    await books.settle("w1", [outcome(a_hold("r1", 400), 150)])
    return {}


def _kill_self(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


WORK: dict[str, Callable] = {
    "settle": _settle,
    "lease": _lease,
    "lease apart": _lease_apart,
    "die": _die_settling,
}


async def _main(url: str, what: str, name: str, count: int, tasks: int, pool_size: int) -> dict[str, int]:
    database = open_database(url, pool_size=pool_size, pool_wait_s=60.0, statement_timeout_s=60.0)
    try:
        return await WORK[what](SqlBooks(database, lambda: START), name, count, tasks)
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
