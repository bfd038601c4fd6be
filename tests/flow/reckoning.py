"""The books after a load against the stand-in's own record: what is lost, charged twice, or charged wrongly."""

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from math import ceil
from typing import Any

from sqlalchemy import Connection, func, select

from flow.accounts import Account, Accounts
from flow.load import Seen
from tollway.money import round_usd
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database
from tollway.storage.sql.tables import leases, usage

PLENTY = 10**12  # micro-dollars, so that no request is refused for want of money
PLAIN_PRICES = (2, 8)  # µ$ per prompt and completion token of plain/story


def compare(accounts: Accounts, account: Account, records: Iterable[dict[str, Any]], seen: Seen) -> dict[str, int]:
    """Every request of these records of the stand-in against its row. The account was given PLENTY."""
    rows = rows_of(accounts, account)
    answers: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in records:
        if line["kind"] == "answer" and line["x_request_id"]:
            answers[line["x_request_id"].rpartition("-")[0]].append(line)
    report = {"requests": len(answers), "whole": 0, "interrupted": 0, "lost": 0, "double": 0, "wrong": 0, "charged": 0}
    for id_, tries in answers.items():
        row = rows.get(id_)
        if row is None:
            report["lost"] += 1
            continue
        report["charged"] += row.cost_microdollars
        was_whole = id_ in seen.whole
        report["whole" if was_whole else "interrupted"] += 1
        is_right = row.cost_microdollars == worth(row, tries[-1]) if was_whole else is_fair(row, tries[-1])
        if not is_right:
            report["wrong"] += 1
            print(f"\nwrong, client saw {'all' if was_whole else 'a part'}: {row}\n{tries}")  # noqa: T201  (evidence)
    report["lost"] += len(seen.whole - set(rows))
    balance = accounts.balance(account)
    report["double"] = PLENTY - balance - sum(row.cost_microdollars for row in rows.values())
    return report


def worth(row: Any, line: dict[str, Any]) -> int:
    """What an answer that was whole costs, from the stand-in's own record."""
    if row.provider_id == "sim":
        return round_usd(Decimal(line["cost"]))
    return PLAIN_PRICES[0] * line["prompt_tokens"] + PLAIN_PRICES[1] * line["completion_tokens"]


def is_fair(row: Any, line: dict[str, Any]) -> bool:
    """An answer that broke off. One that does not stream is charged whole, or not at all when its client got nothing
    (M7); of a stream at most what was generated, and at least that less a second of output (M5)."""
    if row.cost_microdollars == worth(row, line):
        return True
    if not line["streamed"]:
        return bool(row.cost_microdollars == 0)
    generated = line["completion_tokens"]
    in_a_second = ceil(generated * min(1.0, 1_000 / max(line["generation_ms"], 1.0)))
    most = max(worth(row, line), round_usd(Decimal(line["cost"])))
    return bool(0 <= row.cost_microdollars <= most and row.completion_tokens >= generated - in_a_second)


def leased(accounts: Accounts) -> int:
    """Micro-dollars out on leases; after an orderly stop there are none."""

    async def work(_: SqlAdmin, database: Database) -> int:
        def read(connection: Connection) -> int:
            return int(
                connection.execute(select(func.coalesce(func.sum(leases.c.amount_microdollars), 0))).scalar_one()
            )

        return await database.read(read)

    return accounts.run(work)


def rows_of(accounts: Accounts, account: Account) -> dict[str, Any]:
    async def work(_: SqlAdmin, database: Database) -> dict[str, Any]:
        def read(connection: Connection) -> dict[str, Any]:
            found = connection.execute(select(usage).where(usage.c.user_id == account.user_id)).all()
            assert len({row.id for row in found}) == len(found)
            return {row.id: row for row in found}

        return await database.read(read)

    return accounts.run(work)
