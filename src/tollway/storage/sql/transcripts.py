"""SqlTranscripts: the rows of `request_log`. A row is written once however often it is tried."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.exc import SQLAlchemyError

from tollway.admin.records import SOFT_DELETED
from tollway.gateway.transcripts import Transcript
from tollway.storage.sql.database import Database
from tollway.storage.sql.insertion import insert_all_missing
from tollway.storage.sql.kept_text import REQUESTS
from tollway.storage.sql.tables import users
from tollway.storage.sql.transcript_tables import request_log
from tollway.wire.transcript import stored_request, stored_response

# Locked against a deletion under way, which locks the same rows: either it sees what we write, or we see that it was.
_THERE: Final = (
    select(users.c.id, users.c.blocked_reason)
    .where(users.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(users.c.id)
    .with_for_update(read=True)
)


class SqlTranscripts:
    """Implements TranscriptStore. An answer is cut after `response_bytes` of UTF-8."""

    def __init__(self, database: Database, response_bytes: int) -> None:
        self._database = database
        self._response_bytes = response_bytes

    async def add(self, transcripts: Sequence[Transcript]) -> None:
        """At least one. To redact megabytes takes long, so that is done off the event loop."""
        rows = await asyncio.to_thread(lambda: [self._row_of(transcript) for transcript in transcripts])
        try:
            await self._database.write(lambda connection: _insert(connection, rows))
        except SQLAlchemyError as error:
            raise ValueError(f"the database refused it ({type(error).__name__})") from error

    def _row_of(self, transcript: Transcript) -> dict[str, Any]:
        return {
            "id": transcript.id,
            "created_at": transcript.at,
            "user_id": transcript.user_id,
            "organization_id": transcript.organization_id,
            "provider_id": transcript.provider_id,
            "model": transcript.model,
            "status_code": transcript.status,
            "request": stored_request(transcript.request),
            "response": stored_response(transcript.response, transcript.status, self._response_bytes),
        }


def _insert(connection: Connection, rows: list[dict[str, Any]]) -> None:
    found = connection.execute(_THERE, {"ids": sorted({row["user_id"] for row in rows})})
    deleted = {user.id for user in found if (user.blocked_reason or "").startswith(SOFT_DELETED)}
    wanted = {None, *REQUESTS.wanted_days(connection, filter(None, (row["organization_id"] for row in rows)))}
    kept = [row for row in rows if row["user_id"] not in deleted and row["organization_id"] in wanted]
    if kept:
        insert_all_missing(connection, request_log, kept)
