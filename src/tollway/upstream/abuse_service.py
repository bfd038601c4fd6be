"""The operator's abuse service: two questions over the same pools and limits as everything that goes out."""

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tollway.gateway.abuse_checks import NoAnswer
from tollway.gateway.upstream_port import Failure
from tollway.settings import AbuseSettings
from tollway.upstream.client import HttpUpstreams
from tollway.upstream.fetch import fetch
from tollway.upstream.post import Receiver, receiver_of

BODY_BYTES_MAX: Final = 65_536
_ID: Final = "CF-Access-Client-Id"
_PROOF: Final = "CF-Access-Client-Secret"


class HttpAbuseService:
    """Implements AbuseService."""

    def __init__(self, client: HttpUpstreams, settings: AbuseSettings, secret: str | None) -> None:
        """Who we are is said only if both parts of it are known (response-path 11.2). Raises SettingsError."""
        known = {_ID: settings.client_id, _PROOF: secret} if settings.client_id and secret else {}
        base_url = settings.base_url.rstrip("/")
        self._client = client
        self._answer_s = settings.answer_s
        self._classify = receiver_of("abuse.base_url", f"{base_url}/api/classify", known)
        cost = receiver_of("abuse.base_url", f"{base_url}/api/usage/cost", known)
        self._cost = replace(cost, origin=self._classify.origin)
        client.prepare(self._classify)

    async def classify(self, body: bytes) -> bytes | NoAnswer:
        return await self._ask(self._classify, body)

    async def report_cost(self, body: bytes) -> bytes | NoAnswer:
        return await self._ask(self._cost, body)

    async def _ask(self, receiver: Receiver, body: bytes) -> bytes | NoAnswer:
        head = receiver.head + b"Content-Length: %d\r\n" % len(body)
        try:
            async with asyncio.timeout(self._answer_s):
                answer = await fetch(self._client, receiver, head, body, self._answer_s, BODY_BYTES_MAX)
        except TimeoutError:
            return NoAnswer("timeout", f"no answer within {self._answer_s:g} s")
        if isinstance(answer, Failure):
            return NoAnswer(answer.kind, answer.detail)
        status, said = answer
        return said if 200 <= status < 300 else NoAnswer("status", f"status {status}")


if TYPE_CHECKING:
    from tollway.gateway.abuse_checks import AbuseService

    def _is_a_port(service: HttpAbuseService) -> AbuseService:
        return service
