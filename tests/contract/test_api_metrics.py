"""Records of requests: written once, deleted in steps when they are old."""

from datetime import timedelta

import pytest
from sqlalchemy import select, text

from contract.commit_fault import CommitFault
from contract.observed import measured, metric
from contract.scenario import START
from tollway.billing.store import StoreUnavailableError
from tollway.observability.api_metrics import Tokens
from tollway.storage.sql import api_metrics as module
from tollway.storage.sql.api_metrics import SqlApiMetrics, row_of
from tollway.storage.sql.database import Database
from tollway.storage.sql.observation_tables import api_metrics


async def stored(database: Database) -> list[dict[str, object]]:
    query = select(*api_metrics.c).order_by(api_metrics.c.created_at, api_metrics.c.id)
    rows = await database.read(lambda connection: connection.execute(query).all())
    return [dict(row._mapping) for row in rows]


FULL = metric(
    429,
    organization_id="acme",
    mode="plan",
    inference_provider="OpenAI",
    tools_available=("function:read",),
    tools_used=("function:read", "custom:x"),
    tokens=Tokens(1, 2, 3, 4, 3),
)


async def test_what_is_written_is_read_again(database: Database) -> None:
    records = [measured(FULL), measured(metric(user_byok=True), START + timedelta(seconds=1))]
    await SqlApiMetrics(database, "house").add(records)
    assert await stored(database) == [row_of(record, "house") for record in records]


@pytest.mark.parametrize("committed", [True, False])
async def test_a_lost_acknowledgement_writes_it_once(database: Database, committed: bool) -> None:
    store = SqlApiMetrics(database, "house")
    with CommitFault(database, 1, committed=committed):
        await store.add([measured(FULL)])
    assert len(await stored(database)) == 1


async def test_old_ones_go_in_steps_the_oldest_first(database: Database) -> None:
    store = SqlApiMetrics(database, "house")
    half = module.DELETED_AT_ONCE // 2
    old = [measured(metric(), START + timedelta(seconds=number)) for number in range(3 * half)]
    await store.add(old)
    await store.add([kept := measured(metric(), START + timedelta(days=9))])
    before = START + timedelta(days=8)
    assert await store.delete_before(before) == 2 * half
    assert {row["id"] for row in await stored(database)} == {kept.id, *(record.id for record in old[2 * half :])}
    assert [await store.delete_before(before) for _ in range(2)] == [half, 0]
    assert [row["id"] for row in await stored(database)] == [kept.id]


async def test_what_the_database_refuses_is_a_value_error(database: Database) -> None:
    """And a database that is away is something else."""
    store = SqlApiMetrics(database, "house")
    await database.write(lambda connection: connection.execute(text("DROP TABLE api_metrics")))
    with pytest.raises(ValueError, match="refused"):
        await store.add([measured(FULL)])
    await database.close()
    with pytest.raises(StoreUnavailableError):
        await store.add([measured(FULL)])
