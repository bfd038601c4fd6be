"""The management API as its callers use it, over the wire of a gateway that runs."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from flow.accounts import Account, Accounts
from flow.programs import Gateway
from flow.raw import Response, ask, request
from tollway.admin.organizations import NewOrganization, add_member, change_organization, create_organization
from tollway.admin.records import OrganizationChange
from tollway.admin.users import set_admin
from tollway.errors import Problem
from tollway.identity.caller import Role
from tollway.ids import new_id
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database

ROOT = "/api/admin/v1"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Desk:
    """People and organizations of one gateway, and what they ask of it."""

    gateway: Gateway
    accounts: Accounts

    def call(
        self,
        account: Account | None,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """`path`: below the root of the management API, or from /api/ on."""
        content = {} if body is None else {"Content-Type": "application/json"}
        named = {**(account.headers if account else {}), **content, **(headers or {})}
        whole = path if path.startswith("/api/") else ROOT + path
        data = b"" if body is None else json.dumps(body).encode()
        return ask(self.gateway, request(data, whole.encode(), named, method.encode()))

    def organization(self, *members: tuple[Account, Role], plan: str = "teams") -> str:
        async def work(store: SqlAdmin, _: Database) -> str:
            now = datetime.now(UTC)
            made = _done(await create_organization(store, NewOrganization(new_id(), plan), now))
            for account, role in members:
                _done(await add_member(store, made.id, account.user_id, role, now))
            return made.id

        return self.accounts.run(work)

    def administrator(self) -> Account:
        account = self.accounts.create()
        self.run(lambda store: set_admin(store, account.user_id, is_admin=True, now=datetime.now(UTC)))
        return account

    def set_plan(self, organization: str, plan: str) -> None:
        change = OrganizationChange(plan=plan)
        self.run(lambda store: change_organization(store, organization, change, datetime.now(UTC)))

    def run(self, work: Callable[[SqlAdmin], Awaitable[T | Problem]]) -> T:
        async def with_store(store: SqlAdmin, _: Database) -> T:
            return _done(await work(store))

        return self.accounts.run(with_store)

    def audit(self, account: Account, organization: str) -> list[str]:
        """What the audit log tells, newest first."""
        answer = self.call(account, "GET", f"/organizations/{organization}/audit-log")
        assert answer.status == 200, answer.body
        return [str(entry["message"]) for entry in answer.json["data"]]


def message(answer: Response) -> str:
    """Of the error, whose shape is checked on the way."""
    assert answer.code
    return str(answer.json["error"]["message"])


def without_id(answer: Response) -> Any:
    """The error without the id of the request: what two refusals have in common."""
    assert answer.code
    return {name: value for name, value in answer.json["error"].items() if name != "request_id"}


def _done(result: T | Problem) -> T:
    assert not isinstance(result, Problem), result
    return result
