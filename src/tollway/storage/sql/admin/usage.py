"""Rows of usage, listed and summed. Each query reads one span of ids of one payer, through an index."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Select, case, func, literal, select
from sqlalchemy.sql.elements import ColumnElement

from tollway.admin.usage import Grouping, UsageFilter, UsedRequest, UsedSum, first_id
from tollway.storage.sql.admin.rows import SqlSubject
from tollway.storage.sql.tables import usage

_COST: Final = usage.c.cost_microdollars + usage.c.corrected_microdollars
_LISTED: Final = select(
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
    _COST,
    usage.c.has_error,
)
_GROUPS: Final[dict[Grouping, ColumnElement[Any]]] = {
    Grouping.DAY: usage.c.usage_day,
    Grouping.MODEL: usage.c.model,
    Grouping.MEMBER: usage.c.user_id,
    Grouping.KEY: usage.c.key_id,
}


class SqlUsageListing(SqlSubject):
    """Implements UsageStore."""

    async def list_usage(self, wanted: UsageFilter, limit: int, before: str | None) -> tuple[UsedRequest, ...]:
        statement = _LISTED.where(*_conditions(wanted)).order_by(usage.c.id.desc()).limit(limit)
        if before is not None:
            statement = statement.where(usage.c.id < before)
        return await self._database.read(
            lambda connection: tuple(_request(row) for row in connection.execute(statement).all())
        )

    async def sum_usage(
        self, wanted: UsageFilter, by: Sequence[Grouping], limit: int, offset: int
    ) -> tuple[UsedSum, ...]:
        statement = _summed(wanted, by).limit(limit).offset(offset)
        return await self._database.read(
            lambda connection: tuple(_sum(row) for row in connection.execute(statement).all())
        )


def _summed(wanted: UsageFilter, by: Sequence[Grouping]) -> Select[Any]:
    groups = [_GROUPS[one] if one in by else literal(None) for one in Grouping]
    names = [f"by_{one.value}" for one in Grouping]
    cost = _total(_COST).label("cost")
    labelled = [group.label(name) for group, name in zip(groups, names, strict=True)]
    statement = select(
        *labelled,
        func.count(),
        _total(case((usage.c.has_error, 1), else_=0)),
        _total(usage.c.prompt_tokens),
        _total(usage.c.completion_tokens),
        _total(usage.c.cached_tokens),
        _total(usage.c.cache_write_tokens),
        cost,
    ).where(*_conditions(wanted))
    grouped = [_GROUPS[one] for one in Grouping if one in by]
    order: list[Any] = [usage.c.usage_day.desc()] if Grouping.DAY in by else []
    return statement.group_by(*grouped).order_by(*order, cost.desc(), *grouped)


def _total(column: Any) -> ColumnElement[int]:
    """0 of no rows. PostgreSQL sums 64-bit integers to a decimal, so no sum overflows."""
    return func.coalesce(func.sum(column), 0)


def _conditions(wanted: UsageFilter) -> list[ColumnElement[bool]]:
    found = [usage.c.id >= first_id(wanted.since), usage.c.id < first_id(wanted.until)]
    equal = {
        usage.c.user_id: wanted.user_id,
        usage.c.organization_id: wanted.organization_id,
        usage.c.model: wanted.model,
        usage.c.key_id: wanted.key_id,
    }
    found += [column == value for column, value in equal.items() if value is not None]
    if wanted.is_personal:
        found.append(usage.c.organization_id.is_(None))
    return found


def _request(row: Any) -> UsedRequest:
    return UsedRequest(*row)


def _sum(row: Any) -> UsedSum:
    day, model, user_id, key_id, *numbers = row
    return UsedSum(None if day is None else str(day), model, user_id, key_id, *(int(number) for number in numbers))
