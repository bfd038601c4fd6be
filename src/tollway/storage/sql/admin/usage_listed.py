"""Which rows of usage a filter means, and what of them is listed."""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection, Executable, Table, select
from sqlalchemy.sql.elements import ColumnElement

from tollway.admin.usage import UsageFilter, UsedRequest
from tollway.storage.sql.tables import usage
from tollway.storage.sql.usage_sums import COST, TABLES
from tollway.storage.sql.usage_sums_tables import usage_days

LISTED: Final = select(
    usage.c.id,
    usage.c.created_at,
    usage.c.user_id,
    usage.c.organization_id,
    usage.c.key_id,
    usage.c.provider_id,
    usage.c.requested_model,
    usage.c.model,
    usage.c.prompt_tokens,
    usage.c.completion_tokens,
    usage.c.cached_tokens,
    usage.c.cache_write_tokens,
    usage.c.reasoning_tokens,
    usage.c.basis,
    COST,
    usage.c.has_error,
)


def conditions(wanted: UsageFilter, first: str, last: str) -> list[ColumnElement[bool]]:
    """Of rows with ids from `first` on, below `last`."""
    found = [usage.c.id >= first, usage.c.id < last]
    found += [usage.c[name] == value for name, value in _equal(wanted).items()]
    if wanted.is_personal:
        found.append(usage.c.organization_id.is_(None))
    return found


def listed(connection: Connection, statement: Executable, **values: str) -> Iterator[UsedRequest]:
    """The rows of LISTED."""
    for row in connection.execute(statement, values):
        yield UsedRequest(*row)


def sums_for(wanted: UsageFilter, *columns: str) -> Table:
    """The smallest table of sums per day that tells what is filtered by and these columns apart."""
    needed = {*columns, *_equal(wanted)}
    if wanted.user_id is not None:
        return usage_days  # whose index leads with the user
    return next(table for table in TABLES if needed <= set(table.c.keys()))


def conditions_of_days(wanted: UsageFilter, table: Table) -> list[ColumnElement[bool]]:
    """The same of rows of sums, whenever they were."""
    found = [table.c[name] == value for name, value in _equal(wanted).items()]
    if wanted.is_personal:
        found.append(table.c.organization_id == "")
    return found


def _equal(wanted: UsageFilter) -> dict[str, str]:
    values = {name: getattr(wanted, name) for name in ("user_id", "organization_id", "model", "key_id")}
    return {name: value for name, value in values.items() if value is not None}
