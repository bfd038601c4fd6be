"""Many clients at once, each on a connection that stays, who keep asking whatever they are told."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic

from flow.accounts import Account
from flow.conversation import PATIENCE_S, chat
from flow.programs import Gateway

REFUSALS = (429, 503)


@dataclass(frozen=True)
class Reply:
    """`whole`: the answer came to its proper end."""

    status: int
    headers: Mapping[str, str]
    whole: bool
    seconds: float

    @property
    def is_refusal(self) -> bool:
        return self.status in REFUSALS


@dataclass
class Crowd:
    """All replies of all its clients."""

    gateway: Gateway
    sim: Mapping[str, object]
    replies: list[Reply] = field(default_factory=list)

    async def keep_asking(self, account: Account, is_enough: Callable[[int], bool]) -> list[Reply]:
        """One client, until it has been served so often that it is enough. Its replies."""
        reader, writer = await asyncio.open_connection(self.gateway.host, self.gateway.port)
        mine, served = list[Reply](), 0
        try:
            while not is_enough(served):
                reply = await asyncio.wait_for(self._ask(account, reader, writer), PATIENCE_S)
                mine.append(reply)
                self.replies.append(reply)
                served += reply.status == 200
        finally:
            writer.close()
        return mine

    async def all_served(self, accounts: Sequence[Account], clients: int, times: int) -> None:
        """So many clients, the accounts by turns, until each has been served so often."""
        turns = [accounts[number % len(accounts)] for number in range(clients)]
        await asyncio.gather(*(self.keep_asking(one, lambda served: served >= times) for one in turns))

    @property
    def statuses(self) -> Counter[int]:
        return Counter(reply.status for reply in self.replies)

    @property
    def admitted(self) -> list[Reply]:
        return [reply for reply in self.replies if not reply.is_refusal]

    async def _ask(self, account: Account, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Reply:
        body = json.dumps(chat("sim/story", True, self.sim)).encode()
        lines = "".join(f"{name}: {value}\r\n" for name, value in account.headers.items()).encode()
        head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
        began = monotonic()
        writer.write(b"%b%bContent-Length: %d\r\n\r\n%b" % (head, lines, len(body), body))
        first, *rest = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in rest)}
        if "content-length" in headers:
            await reader.readexactly(int(headers["content-length"]))
            whole = True
        else:
            whole = b"data: [DONE]" in await reader.readuntil(b"\r\n0\r\n\r\n")
        return Reply(int(first.split(" ")[1]), headers, whole, monotonic() - began)
