"""A gateway between a scripted upstream and a new caller."""

from datetime import UTC, datetime
from os import urandom
from typing import Any

from sqlalchemy import select

from flow.accounts import Account, Accounts
from flow.conversation import Answer, ask
from flow.programs import Gateway
from tollway.identity.master_keys import sealing_keys
from tollway.identity.owned import CUSTOM_UPSTREAMS, Owner, OwnerKind, secret_place
from tollway.identity.sealing import seal
from tollway.settings import load
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database
from tollway.storage.sql.own_tables import custom_upstreams
from tollway.storage.sql.tables import usage, usage_metadata
from vectors.scripted import ScriptedUpstream

PATH = "/api/gateway/chat/completions"


class World:
    """A gateway, its upstream, and a new caller for each test."""

    def __init__(self, gateway: Gateway, upstream: ScriptedUpstream, accounts: Accounts) -> None:
        self.gateway, self.upstream, self.accounts = gateway, upstream, accounts
        self.account: Account = accounts.create()

    def ask(self, *pieces: bytes | None, model: str = "giga-potato-thinking", is_stream: bool = True) -> Answer:
        self.upstream.say(*pieces)
        return ask(self.gateway, self.account, body_for(model, is_stream), PATH)

    def register_endpoint(self, provider_id: str) -> None:
        """The upstream becomes one of the account's own, under that name."""
        owner = Owner(OwnerKind.USER, self.account.user_id)
        row_id = f"own-{self.account.user_id}"
        place = secret_place(CUSTOM_UPSTREAMS, "sealed_key", row_id, owner, provider_id)
        now = datetime.now(UTC)
        row = {
            "id": row_id,
            "user_id": owner.id,
            "provider_id": provider_id,
            "display_name": provider_id,
            "base_url": f"{self.upstream.url}/own",
            "sealed_key": seal("sk-own", place, sealing_keys(load(self.gateway.config, environ={})), urandom),
            "last_four": "",
            "header_names": (),
            "model_metadata": {},
            "is_enabled": True,
            "created_at": now,
            "updated_at": now,
            "created_by": owner.id,
        }

        async def work(_: SqlAdmin, database: Database) -> None:
            await database.write(lambda connection: connection.execute(custom_upstreams.insert(), row) and None)

        self.accounts.run(work)

    def row(self) -> Any:
        """Of the account's only request: usage and its metadata."""
        (row,) = self.rows()
        return row

    def rows(self) -> list[Any]:
        """Of all the account's requests."""
        rows = (
            select(usage, usage_metadata.c.status_code)
            .join(usage_metadata, usage_metadata.c.id == usage.c.id)
            .where(usage.c.user_id == self.account.user_id)
        )

        async def work(_: SqlAdmin, database: Database) -> list[Any]:
            return await database.read(lambda connection: list(connection.execute(rows)))

        return self.accounts.run(work)


def body_for(model: str, is_stream: bool = True) -> dict[str, object]:
    return {"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": is_stream}
