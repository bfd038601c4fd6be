"""Master keys (guarantees §8, K2): a start that lacks one is refused, and one is changed while requests go on."""

import asyncio
import threading
from base64 import b64encode
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import insert, select, update

from flow.accounts import Account, Accounts
from flow.commands import COMMAND_S_MAX, tollway
from flow.conversation import ask, chat
from flow.programs import Gateway, Program, Sim, plain_environment, settings_for
from flow.test_kills import wait_for
from flow.test_own_keys import CANARY, MODEL, SECOND, TOP
from servers.warm import run
from tollway.admin.answers import Answer, Answers, Asked, asked
from tollway.identity.owned import BYOK_KEYS, Owner, OwnerKind, secret_place
from tollway.identity.sealing import SealingKeys, seal
from tollway.ids import random_bytes
from tollway.settings import load
from tollway.storage.sql.admin.secrets import SqlSecrets
from tollway.storage.sql.answers import SqlAnswers
from tollway.storage.sql.database import Database, open_database
from tollway.storage.sql.own_tables import byok_keys

T = TypeVar("T")
OLD, NEW, OTHER = (
    f"{name}:{b64encode(bytes([byte]) * 32).decode()}" for name, byte in (("old", 1), ("new", 2), ("old", 3))
)
UNDER_OLD = SealingKeys({"old": bytes([1]) * 32}, "old")
ROWS, ANSWERS = 1_500, 20
NOW = datetime(2026, 11, 26, tzinfo=UTC)


class Place:
    """A gateway on a database, whose master keys are what `serve` is given."""

    def __init__(self, folder: Path, sim: Sim, database_url: str) -> None:
        self._text = settings_for(
            folder, sim.url, database_url=database_url, models=SECOND.replace("{url}", sim.url), top=TOP
        )
        self.folder, self.config = folder, folder / "tollway.toml"
        self._key_file, endpoints = folder / "key", folder / "endpoints.json"
        self._key_file.write_text(CANARY)
        endpoints.write_text(f'{{"{MODEL}": {{"endpoints": [{{"tag": "anthropic"}}]}}}}')
        self.configure(OLD)
        for words in (("migrate",), ("byok", "endpoints", str(endpoints))):
            assert tollway(self.config, *words).code == 0

    def configure(self, master_keys: str) -> None:
        self.config.write_text(f'master_keys = "{master_keys}"\n{self._text}')

    def serve(self, master_keys: str) -> Gateway:
        self.configure(master_keys)
        return Gateway(self.folder, self.config.read_text())

    def refusal(self, master_keys: str) -> str:
        """The one line of a start that fails."""
        self.configure(master_keys)
        ended = run(["tollway", "serve"], {**plain_environment(), "TOLLWAY_CONFIG": str(self.config)}, self.folder)
        assert (ended.returncode, ended.stdout) == (1, "")
        for key in (OLD, NEW, OTHER):
            assert key.partition(":")[2] not in ended.stderr
        return ended.stderr

    def account(self) -> Account:
        """One with a key of their own and no money here."""
        account = Accounts(self.config).create(0)
        words = ("byok", "add", "anthropic", "--user", account.user_id, "--key-file", str(self._key_file))
        assert tollway(self.config, *words).code == 0
        return account

    def run(self, work: Callable[[Database], Awaitable[T]]) -> T:
        async def with_database() -> T:
            database = open_database(load(self.config, environ={}).database_url, pool_size=1)
            try:
                return await work(database)
            finally:
                await database.close()

        return asyncio.run(with_database())

    def under(self) -> dict[str, int]:
        """How many secrets each key has."""

        async def work(database: Database) -> dict[str, int]:
            return {name: count for name, count in (await SqlSecrets(database).uses()).secrets.items() if count}

        return self.run(work)


def test_a_start_without_the_right_key_is_refused(database_url: str, tmp_path: Path, sim: Sim) -> None:
    place = Place(tmp_path, sim, database_url)
    ann, bob, carl = place.account(), place.account(), place.account()
    gateway = place.serve(OLD)
    assert gateway.stop() == 0
    assert place.refusal(NEW) == "tollway: master_keys: old is missing, and 3 stored secrets need it\n"
    wrong = "tollway: master_keys: old is another key than before, and 3 stored secrets need it\n"
    assert place.refusal(f"{NEW},{OTHER}") == wrong
    damage(place, ann, "wrapped_key")  # alone this would look like a wrong key
    damage(place, carl, "key_id")  # and this like one that is missing
    gateway = place.serve(OLD)
    try:
        for account in (ann, carl):
            answer = ask(gateway, account, chat(MODEL))
            assert (answer.status, answer.json["error"]["code"]) == (503, "credential_unavailable")
        assert ask(gateway, bob, chat(MODEL)).status == 200
    finally:
        assert gateway.stop() == 0


def test_a_key_that_is_lost_for_ever_does_not_keep_everybody_out(database_url: str, tmp_path: Path, sim: Sim) -> None:
    place = Place(tmp_path, sim, database_url)
    ann = place.account()
    assert "old is missing" in place.refusal(NEW)
    assert tollway(place.config, "secrets", "abandon", "old").code == 0
    gateway = place.serve(NEW)
    try:
        assert ask(gateway, ann, chat(MODEL)).status == 503
        bob = place.account()
        assert ask(gateway, bob, chat(MODEL)).status == 200
    finally:
        assert gateway.stop() == 0


def test_a_change_that_is_killed_in_the_middle(database_url: str, tmp_path: Path, sim: Sim) -> None:
    """kill -9 once the first secrets are under the new key, and then again: nobody notices, nothing is left behind."""
    place = Place(tmp_path, sim, database_url)
    account = place.account()
    place.run(lambda database: fill(database, account.user_id))
    everything = ROWS + ANSWERS + 1
    assert place.under() == {"old": everything}
    gateway = place.serve(f"{NEW},{OLD}")
    load = OwnKeyLoad(gateway, account)
    load.start()
    try:
        first = Program(["tollway", "secrets", "rewrap"], {"TOLLWAY_CONFIG": str(place.config)}, place.folder)
        wait_for(lambda: "new" in place.under())
        first.kill()
        cut = place.under()
        assert 0 < cut["new"] < everything, "it was not killed in the middle"
        assert tollway(place.config, "secrets", "retire", "old").code == 1
        load.wait_for_more()
        again = tollway(place.config, "secrets", "rewrap", "--json")
        assert again.json == {"rewrapped": cut["old"], "failed": 0}
        load.wait_for_more()
    finally:
        load.stop()
    assert load.statuses == {200}
    assert place.under() == {"new": everything}
    assert tollway(place.config, "secrets", "rotate", "--json").json["retirable"] == ["old"]
    assert tollway(place.config, "secrets", "retire", "old").code == 0
    assert gateway.stop() == 0
    gateway = place.serve(NEW)
    try:
        assert ask(gateway, account, chat(MODEL)).status == 200
    finally:
        assert gateway.stop() == 0


class OwnKeyLoad:
    """Clients that go on asking, each request paid for with the account's own key."""

    def __init__(self, gateway: Gateway, account: Account) -> None:
        self.statuses: set[int] = set()
        self._answers = 0
        self._gateway, self._account = gateway, account
        self._over, self._more = threading.Event(), threading.Condition()
        self._threads = [threading.Thread(target=self._run) for _ in range(3)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def wait_for_more(self) -> None:
        """Until some that were asked from now on are answered."""
        with self._more:
            enough = self._answers + 2 * len(self._threads)
            assert self._more.wait_for(lambda: self._answers >= enough, COMMAND_S_MAX)

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                status = ask(self._gateway, self._account, chat(MODEL, True)).status
            except (OSError, AssertionError):
                status = 0  # no answer at all
            with self._more:
                self.statuses.add(status)
                self._answers += 1
                self._more.notify_all()


async def fill(database: Database, user_id: str) -> None:
    """Secrets that take a while to be wrapped anew: disabled keys of the user, and answers that wait for a repeat."""
    owner, rows = Owner(OwnerKind.USER, user_id), []
    for number in range(ROWS):
        id_, provider = f"row-{number:05}", f"provider-{number:05}"
        place = secret_place(BYOK_KEYS, "sealed_key", id_, owner, provider)
        rows.append(
            {
                "id": id_,
                "user_id": user_id,
                "provider_id": provider,
                "sealed_key": seal("sk-fake", place, UNDER_OLD, random_bytes),
                "last_four": "",
                "is_enabled": False,
                "created_at": NOW,
                "updated_at": NOW,
                "created_by": user_id,
            }
        )
    await database.write(lambda connection: connection.execute(insert(byok_keys), rows))
    answers = Answers(SqlAnswers(database), UNDER_OLD, random_bytes)
    for number in range(ANSWERS):
        question = asked(user_id, "POST /", f"key {number}", b"{}", NOW)
        assert isinstance(question, Asked)
        assert await answers.begin(question) is None
        await answers.end(question, Answer(201, "{}"))


def damage(place: Place, account: Account, field: str) -> None:
    """Another byte in the account's own key."""
    mine = byok_keys.c.user_id == account.user_id

    async def work(database: Database) -> None:
        sealed: dict[str, Any] = await database.read(
            lambda connection: connection.execute(select(byok_keys.c.sealed_key).where(mine)).scalar_one()
        )
        first = sealed[field][0]
        changed = {**sealed, field: ("A" if first != "A" else "B") + sealed[field][1:]}
        await database.write(
            lambda connection: connection.execute(update(byok_keys).where(mine).values(sealed_key=changed))
        )

    place.run(work)
