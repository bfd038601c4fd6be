"""The webhook that is told of notices: a POST of JSON each, over the pools and time-outs of what goes upstream."""

from http import HTTPStatus

from tollway.gateway.upstream_port import Failure
from tollway.providers.registry import Upstream
from tollway.upstream.client import HttpUpstreams
from tollway.upstream.fetch import fetch


class Webhook:
    """Call it with JSON: it says why that was not taken, "" when it was."""

    def __init__(self, client: HttpUpstreams, upstream: Upstream) -> None:
        self._client = client
        self._upstream = upstream

    async def __call__(self, content: bytes) -> str:
        before, after = self._upstream.head
        head = b"%b%bContent-Length: %d\r\n" % (before, after, len(content))
        answer = await fetch(self._client, self._upstream, head, content)
        if isinstance(answer, Failure):
            return f"{answer.kind}: {answer.detail}"
        return "" if answer[0] < HTTPStatus.MULTIPLE_CHOICES else f"status {answer[0]}"
