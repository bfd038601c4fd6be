"""The three requests of a login by code, over connections of their own.

Source: catalog-and-clients B.12, D.3.
"""

from collections.abc import Awaitable, Callable

from tollway.client.device_login import CODES, PROFILE, DeviceCode, Polled, Verdict, read_code, read_poll
from tollway.client.gateways import Gateway
from tollway.upstream.client import HttpUpstreams
from tollway.upstream.question import ask

Sleep = Callable[[float], Awaitable[None]]


class DeviceLogin:
    """With one gateway. `root`: its address without the path of the gateway."""

    def __init__(self, client: HttpUpstreams, gateway: Gateway, root: str) -> None:
        self._client = client
        self._gateway = gateway
        self._root = root

    async def begin(self) -> DeviceCode:
        """A fresh code. Raises ClientError."""
        return read_code(*await self._ask("POST", CODES))

    async def wait(self, code: DeviceCode, poll_s: float, sleep: Sleep, now: Callable[[], float]) -> Polled:
        """Until somebody has decided, or nobody can any more. An answer that fails is no decision."""
        until = now() + code.expires_in_s
        while now() < until:
            await sleep(poll_s)
            polled = read_poll(*await self._ask("GET", f"{CODES}/{code.code}"))
            if polled.verdict not in {Verdict.PENDING, Verdict.FAILED}:
                return polled
        return Polled(Verdict.EXPIRED)

    async def profile(self, token: str) -> tuple[int, bytes]:
        """Who has logged in."""
        return await self._ask("GET", PROFILE, token)

    async def _ask(self, method: str, path: str, token: str = "") -> tuple[int, bytes]:
        return await ask(self._client, self._gateway, self._root, method, path, token)
