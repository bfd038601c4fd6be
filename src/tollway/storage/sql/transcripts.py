"""SqlTranscripts: the rows of `request_log`. A row is written once however often it is tried."""

import asyncio
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from tollway.gateway.transcripts import Transcript
from tollway.storage.sql.database import Database
from tollway.storage.sql.insertion import insert_all_missing
from tollway.storage.sql.kept_text import REQUESTS, deleted_users
from tollway.storage.sql.transcript_tables import request_log
from tollway.wire.transcript import stored_request, stored_response


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
    deleted = deleted_users(connection, (row["user_id"] for row in rows))
    wanted = {None, *REQUESTS.wanted_days(connection, filter(None, (row["organization_id"] for row in rows)))}
    kept = [row for row in rows if row["user_id"] not in deleted and row["organization_id"] in wanted]
    if kept:
        insert_all_missing(connection, request_log, kept)
