"""A gateway whose callers have endpoints of their own, at a stand-in that is not the operator's."""

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, select, update

from flow.accounts import Account, Accounts
from flow.programs import Gateway
from flow.raw import Response, ask, get, request
from tollway.admin.organizations import NewOrganization, add_member, create_organization
from tollway.admin.records import OrganizationChange, Page
from tollway.errors import Problem
from tollway.identity.caller import Role
from tollway.ids import new_id
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database
from tollway.storage.sql.identity_changes import note_change
from tollway.storage.sql.own_tables import custom_upstreams
from tollway.storage.sql.tables import usage
from vectors.upstream import Upstream

PATH = b"/api/gateway/chat/completions"
ROOT = "/api/custom-upstreams"
KEY = "sk-acme-not-a-real-key-wxyz"


class World:
    """`theirs`: the operator's upstream; `own`: where the callers' endpoints are."""

    def __init__(self, gateway: Gateway, theirs: Upstream, own: Upstream) -> None:
        self.gateway, self.theirs, self.own = gateway, theirs, own
        self.accounts = Accounts(gateway.config)

    @property
    def base_url(self) -> str:
        return f"{self.own.url}/v1"

    def caller(self, microdollars: int = 10_000_000) -> Account:
        return self.accounts.create(microdollars)

    def organization(self, *members: tuple[Account, Role], settings: dict[str, Any] | None = None) -> str:
        """A new one with these members."""

        async def work(store: SqlAdmin, _: Database) -> str:
            now = datetime.now(UTC)
            made = await create_organization(store, NewOrganization(new_id(), "enterprise"), now)
            assert not isinstance(made, Problem)
            for account, role in members:
                added = await add_member(store, made.id, account.user_id, role, now)
                assert not isinstance(added, Problem)
            await store.change_organization(made.id, OrganizationChange(settings=settings or {}), now)
            return made.id

        return self.accounts.run(work)

    def manage(self, method: str, path: str, caller: Account, body: object = None, organization: str = "") -> Response:
        """A call of the management API."""
        query = f"?organizationId={organization}" if organization else ""
        text = b"" if body is None else json.dumps(body).encode()
        raw = request(text, f"{ROOT}{path}{query}".encode(), caller.headers, method.encode())
        return ask(self.gateway, raw)

    def try_to_add(self, caller: Account, provider_id: str = "acme", organization: str = "", **more: Any) -> Response:
        fields = {"display_name": "Acme", "base_url": self.base_url, "api_key": KEY}
        return self.manage("POST", "", caller, {"provider_id": provider_id, **fields, **more}, organization)

    def add(self, caller: Account, provider_id: str = "acme", organization: str = "", **more: Any) -> dict[str, Any]:
        added = self.try_to_add(caller, provider_id, organization, **more)
        assert added.status == 201, added.body
        shown: dict[str, Any] = added.json
        return shown

    def chat(self, caller: Account | None, model: str, organization: str = "", **fields: Any) -> Response:
        named = {"x-kilocode-organizationid": organization} if organization else {}
        headers = {**caller.headers, **named} if caller else named
        body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **fields}
        return ask(self.gateway, request(body, PATH, headers))

    def models(self, caller: Account, organization: str = "") -> list[dict[str, Any]]:
        """The wire catalog."""
        named = {"x-kilocode-organizationid": organization} if organization else {}
        answer = ask(self.gateway, get("/api/gateway/models", {**caller.headers, **named}))
        assert answer.status == 200
        found: list[dict[str, Any]] = answer.json["data"]
        return found

    def overwrite(self, upstream_id: str, **values: Any) -> None:
        """As somebody who reaches the database, and knows to tell every process."""

        async def work(_: SqlAdmin, database: Database) -> None:
            def write(connection: Connection) -> None:
                connection.execute(
                    update(custom_upstreams).where(custom_upstreams.c.id == upstream_id).values(**values)
                )
                note_change(connection)

            await database.write(write)

        self.accounts.run(work)

    def copy_key(self, source: str, to: str) -> None:
        """The sealed key of one row into another."""

        async def work(_: SqlAdmin, database: Database) -> Any:
            query = select(custom_upstreams.c.sealed_key).where(custom_upstreams.c.id == source)
            return await database.read(lambda connection: connection.execute(query).scalar_one())

        self.overwrite(to, sealed_key=self.accounts.run(work))

    def audit(self, organization_id: str) -> list[str]:
        async def work(store: SqlAdmin, _: Database) -> list[str]:
            return [entry.message for entry in await store.list_audit(organization_id, Page())]

        return self.accounts.run(work)

    def booked(self, caller: Account) -> list[tuple[str, str, int]]:
        """Provider, basis and cost of each of their requests."""
        columns = (usage.c.provider_id, usage.c.basis, usage.c.cost_microdollars)
        query = select(*columns).where(usage.c.user_id == caller.user_id)

        async def work(_: SqlAdmin, database: Database) -> list[tuple[str, str, int]]:
            rows = await database.read(lambda connection: connection.execute(query).all())
            return [(row[0], row[1], row[2]) for row in rows]

        return self.accounts.run(work)

    @property
    def is_quiet(self) -> bool:
        """Whether nobody was sent anything that was not looked at."""
        return self.theirs.is_untouched and self.own.is_untouched
