"""Text that is kept for organizations: as long as they want it, in bounded steps, and not a row after they stopped."""

from collections.abc import Mapping
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import insert, select

from contract.scenario import ACME, START, a_hold, outcome, record, top_up
from contract.test_transcripts import ONE, found, rows
from tollway.admin.records import OrganizationChange
from tollway.billing.particulars import Particulars
from tollway.storage.sql.accounting_tables import usage_prompts
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.billing import SqlBooks
from tollway.storage.sql.database import Database
from tollway.storage.sql.kept_text import PROMPTS, REQUESTS
from tollway.storage.sql.tables import organizations
from tollway.storage.sql.transcript_tables import request_log
from tollway.storage.sql.transcripts import SqlTranscripts

_numbers = count()


async def keep(database: Database, owners: Mapping[str | None, tuple[int, ...]]) -> None:
    """Rows of the log: by owner how many days old each is."""
    values = [
        {**_row(owner), "id": f"{owner}-{age}-{next(_numbers)}", "created_at": START - timedelta(days=age)}
        for owner, ages in owners.items()
        for age in ages
    ]
    await database.write(lambda connection: connection.execute(insert(request_log), values) and None)


def _row(owner: str | None) -> dict[str, Any]:
    known = {"user_id": "ann", "organization_id": owner, "provider_id": "sim", "model": "a/b", "status_code": 200}
    return {**known, "request": {}, "response": ""}


async def left(database: Database) -> list[str]:
    query = select(request_log.c.id)
    found_ = await database.read(lambda connection: connection.execute(query).scalars().all())
    return sorted(id_.rpartition("-")[0] for id_ in found_)


async def test_each_owner_has_its_own_time(database: Database) -> None:
    """Who wants none any more, is deleted or was never there has no time: nothing of theirs stays."""
    await found(database, "long", request_log_days=30)
    await found(database, "short", request_log_days=2)
    await found(database, "never", prompt_prefix_days=365)
    await found(database, "gone", request_log_days=365)
    await SqlAdmin(database).delete_organization("gone", START, None)
    ages = (0, 1, 10, 40)
    await keep(database, dict.fromkeys((None, "long", "short", "never", "gone", "unknown"), ages))
    await REQUESTS.delete_expired(database, START, personal_days=7)
    kept = ["None-0", "None-1", "long-0", "long-1", "long-10", "short-0", "short-1"]
    assert await left(database) == kept
    await REQUESTS.delete_expired(database, START, personal_days=7)
    assert await left(database) == kept
    await SqlAdmin(database).change_organization("long", OrganizationChange(settings={"request_log_days": 5}), START)
    await REQUESTS.delete_expired(database, START, personal_days=7)
    assert "long-10" not in await left(database)


async def test_oldest_first_in_bounded_steps_that_go_on_where_they_ended(database: Database) -> None:
    await found(database, "acme", request_log_days=1)
    await found(database, "bolt", request_log_days=1)
    await keep(database, {None: (8, 9), "acme": (2, 3, 4, 5, 6), "bolt": (2,)})
    await REQUESTS.delete_expired(database, START, 7, rows_max=2, steps_max=3)  # personal, none, two of acme
    assert await left(database) == ["acme-2", "acme-3", "acme-4", "bolt-2"]
    await REQUESTS.delete_expired(database, START, 7, rows_max=2, steps_max=3)
    assert await left(database) == ["bolt-2"]
    await REQUESTS.delete_expired(database, START, 7, rows_max=2)
    assert await left(database) == []


@pytest.mark.parametrize("days", ["7", True, 0, -1, 366, 1.5, None])
async def test_a_time_that_is_none_keeps_nothing(database: Database, days: object) -> None:
    """Whatever has come into the stored settings."""
    await found(database, "acme")

    async def spoil(value: object) -> None:
        values = {"settings": {"request_log_days": value}}
        await database.write(lambda connection: connection.execute(organizations.update().values(values)) and None)

    await spoil(days)
    assert await database.read(lambda connection: REQUESTS.wanted_days(connection, ["acme"])) == {}
    await spoil(365)
    assert await database.read(lambda connection: REQUESTS.wanted_days(connection, ["acme", "x"])) == {"acme": 365}


async def test_what_still_waited_when_it_was_switched_off_is_not_written(database: Database) -> None:
    store = SqlTranscripts(database, 100)
    await found(database, "acme", request_log_days=7)
    await store.add([replace(ONE, organization_id="acme")])
    assert len(await rows(database)) == 1
    await SqlAdmin(database).change_organization("acme", OrganizationChange(settings={"request_log_days": None}), START)
    await store.add([replace(ONE, id="r2", organization_id="acme"), replace(ONE, id="r3")])
    assert [row.id for row in await rows(database)] == ["r1", "r3"]


async def test_prompts_of_an_organization(database: Database, books: SqlBooks) -> None:
    """Stored and removed by its own setting; what is settled after it was switched off has none."""
    await found(database, "acme", prompt_prefix_days=2)
    await top_up(database, ACME, 1000)
    said = record(organization_id="acme", key_id=None, particulars=Particulars(user_prompt_prefix="secret"))
    await books.settle("w1", [outcome(a_hold("r1", 0, ACME), 0, record=said)])
    assert await prompts(database) == [("r1", "secret", "acme")]
    await PROMPTS.delete_expired(database, START + timedelta(days=1), 30)
    assert len(await prompts(database)) == 1
    await PROMPTS.delete_expired(database, START + timedelta(days=3), 30)
    assert await prompts(database) == []
    await books.settle("w1", [outcome(a_hold("r2", 0, ACME), 0, record=said)])
    change = OrganizationChange(settings={"prompt_prefix_days": None})
    await SqlAdmin(database).change_organization("acme", change, START)
    await books.settle("w1", [outcome(a_hold("r3", 0, ACME), 0, record=said)])
    assert [row[0] for row in await prompts(database)] == ["r2"]
    await PROMPTS.delete_expired(database, START, 30)
    assert await prompts(database) == []


async def prompts(database: Database) -> list[tuple[Any, ...]]:
    columns = usage_prompts.c
    query = select(columns.id, columns.user_prefix, columns.organization_id).order_by(columns.id)
    return await database.read(lambda connection: [tuple(row) for row in connection.execute(query).all()])
