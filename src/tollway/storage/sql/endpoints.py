"""SqlEndpoints: which inference providers serve which model."""

from typing import Final

from sqlalchemy import Connection, delete, select

from tollway.catalog.endpoints import MODELS_MAX, Endpoints
from tollway.storage.sql.database import Database
from tollway.storage.sql.endpoint_tables import model_endpoints
from tollway.storage.sql.insertion import insert_all_missing

_ALL: Final = (
    select(model_endpoints.c.model_id, model_endpoints.c.tags).order_by(model_endpoints.c.model_id).limit(MODELS_MAX)
)
_FORGET: Final = delete(model_endpoints)


class SqlEndpoints:
    """Implements EndpointStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def endpoints(self) -> Endpoints:
        return await self._database.read(
            lambda connection: {row.model_id: row.tags for row in connection.execute(_ALL)}
        )

    async def replace_endpoints(self, endpoints: Endpoints) -> None:
        await self._database.write(lambda connection: put_endpoints(connection, endpoints))


def put_endpoints(connection: Connection, endpoints: Endpoints) -> None:
    """The same inside a transaction."""
    rows = [{"model_id": model, "tags": tags} for model, tags in endpoints.items()]
    connection.execute(_FORGET)
    if rows:
        insert_all_missing(connection, model_endpoints, rows)
