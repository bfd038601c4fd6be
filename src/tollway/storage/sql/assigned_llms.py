"""Custom LLMs of an organization for catalogs: chosen by the query, without addresses and keys (catalog B.5.4)."""

from typing import Final

from sqlalchemy import bindparam, select

from tollway.admin.model_page import AssignedLlm
from tollway.storage.sql.database import Database
from tollway.storage.sql.llm_tables import custom_llm_organizations, custom_llms

_ROW: Final = custom_llms.c
_ASSIGNED: Final = (
    select(
        _ROW.public_id,
        _ROW.display_name,
        _ROW.context_length,
        _ROW.completion_tokens_max,
        _ROW.supports_image_input,
        _ROW.included_tools,
        _ROW.excluded_tools,
    )
    .join_from(custom_llms, custom_llm_organizations, custom_llm_organizations.c.public_id == _ROW.public_id)
    .where(custom_llm_organizations.c.organization_id == bindparam("organization_id"))
    .order_by(_ROW.public_id)
)


class SqlAssignedLlms:
    """Implements AssignedLlms."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def assigned(self, organization_id: str) -> tuple[AssignedLlm, ...]:
        values = {"organization_id": organization_id}
        rows = await self._database.read(lambda connection: connection.execute(_ASSIGNED, values).all())
        return tuple(AssignedLlm(*row) for row in rows)
