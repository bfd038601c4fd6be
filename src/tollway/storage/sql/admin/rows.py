"""What the four subjects share: their database, and pages of listings."""

from typing import Any

from sqlalchemy import Select, Table, bindparam, or_, select, tuple_

from tollway.admin.records import Page
from tollway.storage.sql.database import Database


class SqlSubject:
    """A part of the store over one database."""

    def __init__(self, database: Database) -> None:
        self._database = database


def newest_first(statement: Select[Any], table: Table, page: Page, id_name: str = "id") -> Select[Any]:
    """`statement` ordered by creation, newest first, cut to the page. `id_name`: what its primary key is called."""
    id_ = table.c[id_name]
    cut = statement.order_by(table.c.created_at.desc(), id_.desc()).limit(page.limit)
    if page.before is None:
        return cut
    place = select(table.c.created_at, id_).where(id_ == page.before)
    return cut.where(tuple_(table.c.created_at, id_) < place.scalar_subquery())


def matches(column: Any, name: str) -> Any:
    """`column` equals the bound parameter `name`, which may be NULL: then every row matches."""
    return or_(bindparam(name).is_(None), column == bindparam(name))
