"""Text of an organization's requests: nowhere until its owner wants it kept and the operator permits it, then in one
place, shown to its members, and no more once it is switched off; in no journal at any time (guarantees P1)."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from sqlalchemy import Table, func, select

from flow.accounts import Account, Accounts
from flow.conversation import Conversation, ask, chat
from flow.journals import wait_for_quiet
from flow.management import Desk
from flow.programs import Gateway, Sim, settings_for
from flow.test_identity import CREDITS, SECONDS_MAX, now
from flow.workers import kill_everything
from tollway.admin.credits import NewCredit, Owner, add_credit
from tollway.identity.caller import Role
from tollway.storage.sql.accounting_tables import usage_prompts
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database
from tollway.storage.sql.transcript_tables import request_log

PROMPT = "canary-prompt-51c0de"
ON = {"prompt_prefix_days": 30, "request_log_days": 7}
OFF: dict[str, int | None] = dict.fromkeys(ON)
EVERY = 'prompt_prefix_organizations = ["*"]\nrequest_log.organizations = ["*"]'


class World:
    """A gateway in which an owner and a member act for an organization with credits."""

    def __init__(self, folder: Path, sim: Sim, top: str) -> None:
        self.folder = folder
        self.settings = settings_for(folder, sim.url, top=top)
        self.start()
        self.accounts = Accounts(self.gateway.config)
        self.owner, self.member = self.accounts.create(0), self.accounts.create()
        self.organization = self.desk.organization((self.owner, Role.OWNER), (self.member, Role.MEMBER))
        credit = NewCredit(Owner(organization=self.organization), CREDITS, is_free=True)
        self.desk.run(lambda store: add_credit(store, credit, now()))

    def start(self) -> None:
        self.gateway = Gateway(self.folder, self.settings)

    @property
    def desk(self) -> Desk:
        return Desk(self.gateway, Accounts(self.gateway.config))

    def ask(self, organization: bool = True) -> None:
        answer = ask(self.gateway, self.acting(organization), self.body())
        assert answer.status == 200, answer.body

    def acting(self, organization: bool = True) -> Account:
        if not organization:
            return self.member
        return _Acting(**asdict(self.member), organization=self.organization)

    def body(self, stream: bool = False, **controls: object) -> dict[str, object]:
        messages = [{"role": "system", "content": PROMPT}, {"role": "user", "content": PROMPT}]
        return {**chat("sim/story", stream, controls), "messages": messages}

    def decide(self, account: Account, settings: dict[str, Any]) -> int:
        path = f"/organizations/{self.organization}"
        return self.desk.call(account, "PATCH", path, {"settings": settings}).status

    def kept(self) -> tuple[int, int]:
        """Rows of prompts and of requests, of the organization's."""

        async def work(_: SqlAdmin, database: Database) -> tuple[int, int]:
            def count(table: Table) -> Any:
                query = select(func.count()).select_from(table).where(table.c.organization_id == self.organization)
                return lambda connection: connection.execute(query).scalar()

            return await database.read(count(usage_prompts)), await database.read(count(request_log))

        return self.accounts.run(work)

    def wait_until_kept(self, prompts: int, requests: int) -> None:
        until = monotonic() + 20
        while self.kept() != (prompts, requests):
            assert monotonic() < until, self.kept()

    def where(self) -> set[str]:
        """Kinds of files below the folder that hold the prompt, and `output` for what the gateway has said."""
        found = {"output"} if PROMPT in "\n".join(self.gateway.lines) else set()
        for path in self.folder.rglob("*"):
            if path.is_file() and PROMPT.encode() in path.read_bytes():
                found.add("journal" if "journal" in path.parts else path.name.removesuffix("-wal"))
        return found


@dataclass(frozen=True)
class _Acting(Account):
    """A member, for the organization."""

    organization: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}", "x-tollway-organizationid": self.organization}


@pytest.fixture
def world(tmp_path: Path, sim: Sim) -> Iterator[World]:
    world = World(tmp_path, sim, EVERY)
    yield world
    world.gateway.end()


def kill_in_a_stream(world: World) -> None:
    """After something of the answer has come; then a restart, and a replay of what was left."""
    with Conversation(world.gateway) as conversation:
        conversation.ask(world.acting(), world.body(True, chunks=200, delay_ms=50))
        conversation.read_until(b"data: ", 3)
        assert any(path.stat().st_size for path in world.folder.rglob("*.journal"))
        assert "journal" not in world.where()
        kill_everything(world.gateway)
    assert "journal" not in world.where()
    world.start()
    wait_for_quiet(world.folder)


def test_an_owner_decides_and_nothing_is_kept_before_or_after(world: World) -> None:
    world.ask()
    kill_in_a_stream(world)
    assert world.kept() == (0, 0)
    assert world.where() == set()

    assert world.decide(world.member, ON) == 403
    assert world.decide(world.owner, {**ON, "request_log_days": 366}) == 400
    assert _shown(world, world.member) == (OFF, OFF, OFF)
    assert world.decide(world.owner, ON) == 200
    assert _shown(world, world.member) == _shown(world, world.owner) == (ON, ON, ON)
    assert world.desk.audit(world.owner, world.organization)[0] == (
        "First characters of prompts are kept for 30 days; Requests and answers are kept for 7 days"
    )
    until = monotonic() + SECONDS_MAX
    while world.kept() == (0, 0):
        world.ask()
        assert monotonic() < until
    before = world.kept()[0]
    world.ask()
    world.wait_until_kept(before + 1, before + 1)
    world.ask(organization=False)  # what is the member's own is not the organization's to decide on
    assert world.where() == {"tollway.db"}

    kill_in_a_stream(world)  # also where it may be kept, no journal has it; what died with a worker is not kept
    assert world.kept() == (before + 1, before + 1)

    assert world.decide(world.owner, OFF) == 200
    assert _shown(world, world.member) == (OFF, OFF, OFF)
    world.ask()  # at once: what a worker does not know yet, the books do
    assert world.kept()[0] == before + 1
    assert world.desk.audit(world.owner, world.organization)[0] == (
        "First characters of prompts are no longer kept; Requests and answers are no longer kept"
    )
    assert world.gateway.stop() == 0
    assert world.kept() == (before + 1, before + 1)
    assert world.where() == {"tollway.db"}
    assert world.accounts.differences() == ()


def test_what_the_operator_does_not_permit_is_not_kept(tmp_path: Path, sim: Sim) -> None:
    """Whatever an organization wants; nor is what the operator wants without it, for whomever its members are."""
    mail = 'store_prompt_prefixes = true\nrequest_log.email_suffixes = ["@example.com"]'
    world = World(tmp_path, sim, mail)
    try:
        assert world.decide(world.owner, ON) == 200
        assert _shown(world, world.member) == (ON, OFF, OFF)
        world.ask()
        assert world.gateway.stop() == 0
        assert world.kept() == (0, 0)
        assert world.where() == set()
    finally:
        world.gateway.end()


def _shown(world: World, account: Account) -> tuple[dict[str, Any], ...]:
    """What it has decided, what comes of it in the management API, and the same in the account route."""
    managed = world.desk.call(account, "GET", f"/organizations/{world.organization}").json
    known = world.desk.call(account, "GET", f"/api/organizations/{world.organization}").json
    decided = {name: managed["settings"][name] for name in ON}
    return decided, managed["kept"], {name: known["settings"][name] for name in ON}
