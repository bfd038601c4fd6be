"""Rows of `usage_origins`: each origin once, whoever stores it first. Source: response-path 6.9."""

from collections.abc import Iterable
from typing import Any, Final

from msgspec.structs import asdict
from sqlalchemy import Connection, select

from tollway.billing.particulars import decode_origin, origin_id
from tollway.storage.sql.accounting_tables import usage_origins
from tollway.storage.sql.insertion import insert_all_missing
from tollway.storage.sql.packed import among, pack

_KNOWN: Final = select(usage_origins.c.id).where(among(usage_origins.c.id, "ids"))


def store_missing(connection: Connection, encoded: Iterable[bytes]) -> None:
    """Store the origins that are not there yet, in the order of their ids, in which everybody waits for them."""
    origins = {origin_id(one): one for one in encoded if one}
    if not origins:
        return
    known = set(connection.execute(_KNOWN, {"ids": pack(origins)}).scalars())
    rows: list[dict[str, Any]] = [
        {"id": id_, **asdict(decode_origin(origins[id_]))} for id_ in sorted(origins) if id_ not in known
    ]
    if rows:
        insert_all_missing(connection, usage_origins, rows)
