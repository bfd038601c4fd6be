"""What an operator may have an eye on requests with, put together: kept text, and a service that judges requests.

A part of the composition root (`app.py`): settings → adapters → jobs. What is not switched on is not there.
"""

from typing import Final

from tollway.clock import monotonic, utc_now
from tollway.gateway.abuse_checks import AbuseChecks, Start
from tollway.gateway.transcripts import Transcripts
from tollway.http.background import Every
from tollway.kept_secret import secret_text
from tollway.observability.logs import get_log
from tollway.observability.metrics import Metrics
from tollway.settings import Settings
from tollway.storage.sql.admin.erased_usage import forget_late
from tollway.storage.sql.database import Database
from tollway.storage.sql.kept_text import PROMPTS, REQUESTS
from tollway.storage.sql.transcripts import SqlTranscripts
from tollway.upstream.abuse_service import HttpAbuseService
from tollway.upstream.client import HttpUpstreams

FLUSH_S: Final = 1.0
CLEAN_UP_S: Final = 600.0
FORGET_LATE_S: Final = 3_600.0

_log = get_log()


class Oversight:
    """Of one worker. `transcripts` and `abuse` are None where nobody wants them."""

    def __init__(
        self, settings: Settings, database: Database, client: HttpUpstreams, start: Start, metrics: Metrics
    ) -> None:
        """`start` runs work beside. Raises SettingsError."""
        self._settings, self._database = settings, database
        wanted = settings.request_log
        # Kept ones go when they are old, also when no new ones are wanted any more.
        kept = Transcripts(wanted, SqlTranscripts(database, wanted.response_bytes), metrics.dropped_transcripts.inc)
        self._kept = kept
        self.transcripts = kept if wanted.email_suffixes or wanted.organizations else None
        self.abuse = _abuse_checks(settings, client, start, metrics) if settings.abuse.base_url else None

    def start(self, every: Every) -> None:
        """Start the jobs."""
        if self.transcripts is not None:
            every(FLUSH_S, "transcripts", self._kept.flush)
        every(CLEAN_UP_S, "old_transcripts", self._delete_old)
        every(CLEAN_UP_S, "old_prompts", self._delete_old_prompts)
        every(FORGET_LATE_S, "late_particulars", lambda: forget_late(self._database, utc_now()))

    async def _delete_old(self) -> None:
        await REQUESTS.delete_expired(self._database, utc_now(), self._settings.request_log.retention_days)

    async def _delete_old_prompts(self) -> None:
        await PROMPTS.delete_expired(self._database, utc_now(), self._settings.prompt_prefix_days)

    async def stop(self) -> None:
        """Once the jobs have ended and no request is under way."""
        await self._kept.flush_at_end()


def _abuse_checks(settings: Settings, client: HttpUpstreams, start: Start, metrics: Metrics) -> AbuseChecks:
    wanted = settings.abuse
    secret = secret_text("abuse.client_secret", wanted.client_secret, wanted.client_secret_file)
    if bool(secret) != bool(wanted.client_id):
        _log.warning("abuse_service_anonymous", why="only one of client_id and client_secret is set: none is shown")
    return AbuseChecks(wanted, HttpAbuseService(client, wanted, secret), start, monotonic, metrics.abuse)
