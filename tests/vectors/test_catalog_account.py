"""Vectors E-24 to E-27 of catalog-and-clients, "Catalog endpoints": the account routes and logins of devices."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import update

from flow.accounts import Account, Accounts
from flow.management import Desk
from flow.programs import Gateway, Sim, settings_for
from tollway.clock import utc_now
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database
from tollway.storage.sql.management_tables import device_logins

CODES = "/api/device-auth/codes"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    sim = Sim(tmp_path_factory.mktemp("sim"))
    folder = tmp_path_factory.mktemp("accounts")
    gateway = Gateway(folder, settings_for(folder, sim.url))
    yield Desk(gateway, Accounts(gateway.config))
    assert gateway.stop() == 0
    sim.stop()


@pytest.fixture
def account(desk: Desk) -> Account:
    return desk.accounts.create()


@pytest.mark.parametrize("keys", [pytest.param({"id", "email", "name", "image"}, id="catalog:E-24")])
def test_a_user_is_told_four_things_of_themselves(desk: Desk, account: Account, keys: set[str]) -> None:
    assert set(desk.call(account, "GET", "/api/user").json) == keys


@pytest.mark.parametrize("most", [pytest.param(5, id="catalog:E-25")])
def test_so_many_devices_of_one_address_may_wait(desk: Desk, most: int) -> None:
    expire(desk)
    statuses = [desk.call(None, "POST", CODES).status for _ in range(most + 1)]
    assert statuses == [200] * most + [429]
    expire(desk)
    assert desk.call(None, "POST", CODES).status == 200


@pytest.mark.parametrize("polls", [pytest.param(2, id="catalog:E-26")])
def test_one_of_two_polls_gets_the_token(desk: Desk, account: Account, polls: int) -> None:
    expire(desk)
    code = desk.call(None, "POST", CODES).json["code"]
    assert desk.call(account, "POST", "/api/device-auth/tokens", {"code": code}).status == 200
    with ThreadPoolExecutor(polls) as pool:
        answers = list(pool.map(lambda _: desk.call(None, "GET", f"{CODES}/{code}"), range(polls)))
    assert sorted(answer.status for answer in answers) == [200, 410]
    assert sum("token" in answer.json for answer in answers) == 1


@pytest.mark.parametrize("code", [pytest.param("ZZZZ-ZZZZ", id="catalog:E-27")])
def test_an_unknown_code_has_expired(desk: Desk, code: str) -> None:
    answer = desk.call(None, "GET", f"{CODES}/{code}")
    assert (answer.status, answer.json) == (410, {"status": "expired"})


def expire(desk: Desk) -> None:
    """Everything that waits, behind everybody's back."""

    async def work(_: SqlAdmin, database: Database) -> None:
        ended = update(device_logins).values(expires_at=utc_now() - timedelta(seconds=1))
        await database.write(lambda connection: connection.execute(ended))

    desk.accounts.run(work)
