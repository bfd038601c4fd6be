"""SqlAlerts: which models are watched, what their requests came to, and who was told what lately."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Select, Table, and_, bindparam, case, delete, false, func, select, true
from sqlalchemy.dialects import postgresql, sqlite

from tollway.observability.alerting.evaluation import Count, Counts, Group
from tollway.observability.alerting.rules import ErrorRateRule, TtfbRule
from tollway.observability.alerting.store import ErrorBaseline, TtfbBaseline
from tollway.storage.sql.database import Database
from tollway.storage.sql.observation_tables import alert_configs, alert_firings, api_metrics, ttfb_alert_configs
from tollway.storage.sql.packed import among, pack

_BASELINE_DAYS: Final = (1, 3, 7)
_TTFB_BASELINE: Final = timedelta(days=3)
_QUANTILES: Final = (50, 95, 99)

_OURS: Final = api_metrics.c.user_byok == false()
_SINCE: Final = api_metrics.c.created_at > bindparam("since")
_OF_MODELS: Final = among(api_metrics.c.resolved_model, "models")
_OF_MODEL: Final = api_metrics.c.resolved_model == bindparam("model")
_GROUP: Final = (api_metrics.c.provider, api_metrics.c.resolved_model, api_metrics.c.client_name)
_SUCCEEDED: Final = api_metrics.c.is_error == false()


def _times(condition: Any) -> Any:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


_ERRORS: Final = (
    select(*_GROUP, func.count(), _times(api_metrics.c.is_error == true()))
    .where(_SINCE, _OURS, _OF_MODELS)
    .group_by(*_GROUP)
)
_SLOW: Final = (
    select(*_GROUP, func.count(), _times(api_metrics.c.ttfb_ms > bindparam("threshold_ms")))
    .where(_SINCE, _OURS, _OF_MODELS, _SUCCEEDED)
    .group_by(*_GROUP)
)
_BASELINE: Final = select(
    *(
        _times(and_(api_metrics.c.created_at > bindparam(f"since_{days}d"), condition)).label(f"{name}_{days}d")
        for days in _BASELINE_DAYS
        for name, condition in (("total", true()), ("bad", api_metrics.c.is_error == true()))
    )
).where(_SINCE, _OURS, _OF_MODEL)
_TTFB_COUNT: Final = select(func.count()).select_from(api_metrics).where(_SINCE, _OURS, _OF_MODEL, _SUCCEEDED)
_TTFB: Final = (
    select(api_metrics.c.ttfb_ms)
    .where(_SINCE, _OURS, _OF_MODEL, _SUCCEEDED)
    .order_by(api_metrics.c.ttfb_ms)
    .limit(1)
    .offset(bindparam("place"))
)
_SILENCED: Final = select(alert_firings.c.key).where(
    among(alert_firings.c.key, "keys"), alert_firings.c.expires_at > bindparam("now")
)
_FORGET: Final = delete(alert_firings).where(alert_firings.c.expires_at <= bindparam("now"))


class SqlAlerts:
    """Implements AlertStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # rules

    async def error_rate_rules(self) -> tuple[ErrorRateRule, ...]:
        return tuple(ErrorRateRule(*row) for row in await self._all(alert_configs))

    async def ttfb_rules(self) -> tuple[TtfbRule, ...]:
        return tuple(TtfbRule(*row) for row in await self._all(ttfb_alert_configs))

    async def _all(self, table: Table) -> Iterable[Any]:
        query = select(*table.c).order_by(table.c.model)
        return await self._database.read(lambda connection: connection.execute(query).all())

    async def put_error_rate(self, rule: ErrorRateRule) -> None:
        await self._put(alert_configs, _values(rule))

    async def put_ttfb(self, rule: TtfbRule) -> None:
        await self._put(ttfb_alert_configs, _values(rule))

    async def _put(self, table: Table, row: dict[str, Any]) -> None:
        await self._database.write(lambda connection: _upsert(connection, table, "model", row))

    async def delete_error_rate(self, model: str) -> None:
        await self._delete(alert_configs, model)

    async def delete_ttfb(self, model: str) -> None:
        await self._delete(ttfb_alert_configs, model)

    async def _delete(self, table: Table, model: str) -> None:
        statement = delete(table).where(table.c.model == model)
        await self._database.write(lambda connection: connection.execute(statement))

    # counts

    async def count(self, models: Iterable[str], since: datetime, threshold_ms: int | None) -> Counts:
        query: Select[Any] = _ERRORS if threshold_ms is None else _SLOW
        values: dict[str, Any] = {"models": pack(models), "since": since}
        if threshold_ms is not None:
            values["threshold_ms"] = threshold_ms
        rows = await self._database.read(lambda connection: connection.execute(query, values).all())
        return {Group(*row[:3]): Count(int(row[3]), int(row[4])) for row in rows}

    async def error_baseline(self, model: str, now: datetime) -> ErrorBaseline:
        since = {f"since_{days}d": now - timedelta(days=days) for days in _BASELINE_DAYS}
        values = {"model": model, "since": min(since.values()), **since}
        row = await self._database.read(lambda connection: connection.execute(_BASELINE, values).one())
        found = row._mapping
        totals = [int(found[f"total_{days}d"]) for days in _BASELINE_DAYS]
        rates = [int(found[f"bad_{days}d"]) / max(found[f"total_{days}d"], 1) for days in _BASELINE_DAYS]
        return ErrorBaseline(model, *rates, *totals)

    async def ttfb_baseline(self, model: str, now: datetime) -> TtfbBaseline | None:
        values = {"model": model, "since": now - _TTFB_BASELINE}

        def work(connection: Connection) -> TtfbBaseline | None:
            total = connection.execute(_TTFB_COUNT, values).scalar_one()
            if not total:
                return None
            places = [-(-total * percent // 100) - 1 for percent in _QUANTILES]  # nearest rank
            p50, p95, p99 = (connection.execute(_TTFB, {**values, "place": place}).scalar_one() for place in places)
            return TtfbBaseline(model, p50, p95, p99, total)

        return await self._database.read_snapshot(work)

    # firings

    async def are_silenced(self, keys: Iterable[str], now: datetime) -> bool:
        values = {"keys": pack(keys), "now": now}
        return await self._database.read(lambda connection: connection.execute(_SILENCED, values).first() is not None)

    async def remember(self, key: str, now: datetime, until: datetime) -> None:
        row = {"key": key, "fired_at": now, "expires_at": until}

        def work(connection: Connection) -> None:
            connection.execute(_FORGET, {"now": now})
            _upsert(connection, alert_firings, "key", row)

        await self._database.write(work)


def _values(rule: ErrorRateRule | TtfbRule) -> dict[str, Any]:
    return {name: getattr(rule, name) for name in rule.__struct_fields__}


def _upsert(connection: Connection, table: Table, key: str, row: dict[str, Any]) -> None:
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    changed = {name: value for name, value in row.items() if name != key}
    connection.execute(insert(table).values(row).on_conflict_do_update(index_elements=[key], set_=changed))
