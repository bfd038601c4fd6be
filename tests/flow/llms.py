"""Organizations with members and custom LLMs for tests, made through the same use cases as the command line."""

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from flow.accounts import Account, Accounts
from tollway.admin.custom_llms import LlmDesk, add_llm, assign_llm
from tollway.admin.llm_records import LlmFields
from tollway.admin.records import Member, Organization
from tollway.admin.upstream_changes import Sealer
from tollway.errors import Problem
from tollway.identity.caller import Role
from tollway.identity.master_keys import sealing_keys
from tollway.ids import new_id, random_bytes
from tollway.settings import load
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class MemberAccount(Account):
    """An account that acts for an organization, which has no money."""

    organization_id: str = ""

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}", "X-KiloCode-OrganizationId": self.organization_id}


def member_of_new_organization(accounts: Accounts, plan: str = "teams") -> MemberAccount:
    account = accounts.create(0)
    organization = Organization(new_id(), f"Acme {next(_numbers)}", plan, datetime.now(UTC))

    async def work(admin: SqlAdmin, _: Database) -> None:
        await admin.add_organization(organization)
        await admin.add_member(
            Member(organization.id, account.user_id, account.email, Role.MEMBER, None), new_id(), datetime.now(UTC)
        )

    accounts.run(work)
    return MemberAccount(account.user_id, account.email, account.key, account.key_id, organization.id)


def give_llm(accounts: Accounts, config: Path, organization_id: str, public_id: str, fields: LlmFields) -> None:
    """A new custom LLM, whose key is `sk-vendor`, for that organization."""
    sealer = Sealer(sealing_keys(load(config, environ={})), random_bytes)

    async def work(admin: SqlAdmin, _: Database) -> None:
        desk = LlmDesk(admin, "", sealer, datetime.now(UTC))
        made = await add_llm(desk, public_id, fields, "sk-vendor")
        assert not isinstance(made, Problem), made
        given = await assign_llm(desk, public_id, organization_id)
        assert not isinstance(given, Problem), given

    accounts.run(work)
