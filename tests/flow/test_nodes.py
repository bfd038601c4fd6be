"""Two nodes with two workers each, on one PostgreSQL, with Redis and without: one set of books, one set of limits."""

import asyncio
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from urllib.request import Request, urlopen
from zlib import crc32

import psycopg
import pytest
from sqlalchemy import select

from flow.accounts import Account, Accounts
from flow.conversation import ask, chat
from flow.journals import entries, wait_for_quiet
from flow.load import Load
from flow.nodes import Balancer, Deployment
from flow.programs import Gateway, Sim
from flow.receiver import Receiver
from flow.reckoning import PLENTY, compare, leased
from flow.scale import scaled
from flow.together import post_together
from flow.workers import kill_everything
from servers.postgres import running as running_postgres
from servers.redis import RedisServer
from tollway.admin.credits import NewCredit, Owner, add_credit
from tollway.admin.key_changes import KeyChange, KeyDesk, change_key
from tollway.admin.keys import revoke_key
from tollway.admin.members import set_daily_limit
from tollway.admin.office import Office
from tollway.admin.organizations import NewOrganization, add_member, create_organization
from tollway.admin.ownership import OPERATOR
from tollway.admin.users import block_user
from tollway.clock import utc_now
from tollway.errors import Problem
from tollway.identity.caller import Role
from tollway.ids import new_id
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database
from tollway.storage.sql.tables import leases

ACTS_WITHIN_S = 5.0  # guarantees K4
HOLD = 25_000  # micro-dollars; more than one worst case of DEAR, less than two
DEAR = {
    "model": "sim/story",
    "messages": [{"role": "user", "content": "x" * 60}],
    "max_tokens": 16_000,
    "sim": {"first_delay_ms": 6_000},  # nobody is done before all have asked
}
FREE = "sim/echo"
FREE_COUNT = 6
PRESET = f"""
[free]
hosted_count = {FREE_COUNT}

[[hosted_models]]
public_id = "{FREE}"
internal_id = "{FREE}"
gateway = "sim"
context_length = 1000
completion_tokens_max = 100
"""
METRICS_TOKEN = "operators-only"
TOP = """
preset = "{preset}"
redis_url = "{redis}"
instances = 2
timeouts.redis_s = 2
[limits]
in_flight_per_account = 1000
in_flight_per_key = 1000
[api_metrics]
enabled = true
admin_token = "{token}"
flush_s = 0.2
[alerts]
enabled = true
page_webhook_url = "{pager}/page"
ticket_webhook_url = "{pager}/ticket"
interval_s = 0.3
page_cooldown_s = 1
[retries]
count_max = 0
"""
SETTLE_IN_S = 0.3  # from a node being taken out until nobody is about to connect to it: what preStop waits for
_numbers = count(1)


@pytest.fixture(scope="module")
def new_database() -> Iterator[Callable[[], str]]:
    """Makes an empty PostgreSQL database."""
    run_id = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    with running_postgres(run_id) as server:

        def make() -> str:
            name = f"nodes_{os.getpid()}_{next(_numbers)}"
            with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {name}")
            return server.url(name)

        yield make


@pytest.fixture(scope="module")
def pager() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def nodes(
    tmp_path_factory: pytest.TempPathFactory, sim: Sim, new_database: Callable[[], str], pager: Receiver
) -> Iterator[Deployment]:
    """With Redis, alerts and a limited free model; each node has a state folder of its own."""
    folder = tmp_path_factory.mktemp("nodes")
    preset = folder / "preset.toml"
    preset.write_text(PRESET)
    redis = RedisServer().start()
    try:
        top = TOP.format(preset=preset, redis=redis.url, token=METRICS_TOKEN, pager=pager.url)
        with Deployment(folder, sim, new_database(), top) as deployment:
            yield deployment
            end_in_order(deployment)
    finally:
        redis.remove()


@pytest.fixture(scope="module")
def bare_nodes(
    tmp_path_factory: pytest.TempPathFactory, sim: Sim, new_database: Callable[[], str]
) -> Iterator[Deployment]:
    """Without Redis, and with one state folder for both."""
    folder = tmp_path_factory.mktemp("bare-nodes")
    with Deployment(folder, sim, new_database(), "instances = 2", shared_state=True) as deployment:
        yield deployment
        end_in_order(deployment)


def end_in_order(deployment: Deployment) -> None:
    """Both told to end at once: nothing is leased any more, and the books balance."""
    living = [node for node in deployment.nodes if node.is_running]
    with ThreadPoolExecutor() as all_of_them:
        assert set(all_of_them.map(Gateway.stop, living)) == {0}
    assert leased(deployment.accounts) == 0
    assert deployment.accounts.differences() == ()


def do(accounts: Accounts, work: Callable[[SqlAdmin], object]) -> object:
    async def with_store(store: SqlAdmin, _: Database) -> object:
        return await work(store)  # type: ignore[misc]

    done = accounts.run(with_store)
    assert not isinstance(done, Problem), done
    return done


def join_organization(accounts: Accounts, account: Account, daily_limit: int | None) -> str:
    """The account becomes a member of a rich organization; its id."""
    id_ = new_id()

    async def work(store: SqlAdmin) -> str:
        made = await create_organization(store, NewOrganization(id_), utc_now())
        assert not isinstance(made, Problem)
        credit = NewCredit(Owner(organization=made.id), PLENTY, is_free=True)
        assert not isinstance(await add_credit(store, credit, utc_now()), Problem)
        member = await add_member(store, made.id, account.user_id, Role.MEMBER, utc_now())
        assert not isinstance(member, Problem)
        limited = await set_daily_limit(Office(store, OPERATOR, utc_now()), made.id, account.user_id, daily_limit)
        assert not isinstance(limited, Problem)
        return made.id

    return str(do(accounts, work))


# Caps


def test_what_covers_three_admits_three_of_two_hundred(nodes: Deployment, sim: Sim) -> None:
    """Two whole requests and a partly covered one, whichever limit it is and whichever node they come to."""
    accounts, limit = nodes.accounts, 2 * HOLD
    balance, key, day = accounts.create(limit), accounts.create(PLENTY, key_limit=limit), accounts.create(PLENTY)
    organization = {"X-Tollway-OrganizationId": join_organization(accounts, day, limit)}
    before = sim.requests()

    async def ask_all() -> list[list[int]]:
        all_headers = (balance.headers, key.headers, {**day.headers, **organization})
        return await asyncio.gather(*(post_together(nodes.nodes, headers, DEAR, 200) for headers in all_headers))

    for statuses in asyncio.run(ask_all()):
        assert Counter(statuses) == {200: 3, 402: 197}
    assert sim.requests() - before == 3 * 3, "an upstream saw a request that was not admitted"
    assert accounts.differences() == ()


def test_a_free_model_is_given_away_as_often_as_it_says(nodes: Deployment, sim: Sim) -> None:
    account = nodes.accounts.create()
    body = chat(FREE)
    before = sim.requests()
    statuses = asyncio.run(post_together(nodes.nodes, account.headers, body, 40))
    assert Counter(statuses) == {200: FREE_COUNT, 429: 40 - FREE_COUNT}
    assert sim.requests() - before == FREE_COUNT
    assert [ask(node, account, body).status for node in nodes.nodes] == [429, 429]


# Revocation


class Watch:
    """Asks both nodes without a pause; `served` holds when each request that was served had begun."""

    def __init__(self, deployment: Deployment, headers: dict[str, str]) -> None:
        self.served: list[float] = []
        self.refusals: set[int] = set()
        self._headers = headers
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(node,)) for node in deployment.nodes]
        for thread in self._threads:
            thread.start()

    def _work(self, node: Gateway) -> None:
        while not self._over.is_set():
            began = time.monotonic()
            (status,) = asyncio.run(post_together([node], self._headers, chat(), 1))
            if status == 200:
                self.served.append(began)
            else:
                self.refusals.add(status)
            self._over.wait(0.02)  # leave some of the machine to the gateways

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


def _key_desk(store: SqlAdmin) -> KeyDesk:
    return KeyDesk(Office(store, OPERATOR, utc_now()), None, b"")


@pytest.mark.parametrize("with_redis", [True, False])
def test_what_is_taken_away_is_refused_everywhere_in_time(request: pytest.FixtureRequest, with_redis: bool) -> None:
    deployment: Deployment = request.getfixturevalue("nodes" if with_redis else "bare_nodes")
    accounts = deployment.accounts
    revoked, blocked, cut, listed = (accounts.create() for _ in range(4))
    organization = join_organization(accounts, cut, None)
    all_headers = [revoked.headers, blocked.headers, {**cut.headers, "X-Tollway-OrganizationId": organization}]
    all_headers.append(listed.headers)
    watches = [Watch(deployment, headers) for headers in all_headers]
    try:
        while not all(len(watch.served) > 4 for watch in watches):
            time.sleep(0.05)
        do(accounts, lambda store: revoke_key(store, revoked.key_id, utc_now()))
        do(accounts, lambda store: block_user(store, blocked.user_id, "abuse", utc_now()))
        do(accounts, lambda store: set_daily_limit(Office(store, OPERATOR, utc_now()), organization, cut.user_id, 0))
        do(
            accounts,
            lambda store: change_key(_key_desk(store), listed.key_id, KeyChange(model_allow_list=("other/*",))),
        )
        acted_at = time.monotonic()
        time.sleep(ACTS_WITHIN_S)
        for headers, expected in zip(all_headers, (401, 401, 402, 404), strict=True):
            statuses = asyncio.run(post_together(deployment.nodes, headers, chat(), 40))
            assert Counter(statuses) == {expected: 40}  # enough of them that each worker has some
    finally:
        for watch in watches:
            watch.stop()
    assert [watch.refusals for watch in watches] == [{401}, {401}, {402}, {404}]
    assert all(began < acted_at + ACTS_WITHIN_S for watch in watches for began in watch.served)
    assert accounts.differences() == ()


# Restarts and deaths


def test_a_rolling_restart_under_load_loses_nothing(nodes: Deployment, sim: Sim) -> None:
    accounts = nodes.accounts
    account = accounts.create(PLENTY)
    begins = len(sim.records())
    balancer = Balancer(nodes)
    load = Load(balancer, account, clients=4, seed=1)
    load.start()
    try:
        for _ in range(scaled(1, 10)):
            for index in range(2):
                with balancer.without(index):
                    time.sleep(SETTLE_IN_S)
                    assert nodes.nodes[index].stop() == 0
                    nodes.start_again(index)
                time.sleep(SETTLE_IN_S)  # some requests of its own
    finally:
        load.stop()
    for state_dir in nodes.state_dirs:
        wait_for_quiet(state_dir)
    report = compare(accounts, account, sim.records()[begins:], load.seen)
    assert (load.seen.broken, load.seen.refused) == (0, 0)
    assert report["lost"] == report["double"] == report["wrong"] == 0, report
    assert report["requests"] == len(load.seen.whole | load.seen.left)
    assert accounts.differences() == ()


@pytest.mark.parametrize("replayed_by", ["its restart", "its sibling"])
def test_a_node_that_is_killed_leaves_nothing_open(request: pytest.FixtureRequest, sim: Sim, replayed_by: str) -> None:
    """Its requests break off, those of the other go on; what it had leased and what it had served is in its journal."""
    has_sibling = replayed_by == "its sibling"  # with the same state folder
    deployment: Deployment = request.getfixturevalue("bare_nodes" if has_sibling else "nodes")
    accounts = deployment.accounts
    account = accounts.create(PLENTY)
    begins = len(sim.records())
    load = Load(Balancer(deployment), account, clients=4, seed=2)
    load.start()
    try:
        time.sleep(1)  # some are under way then
        kill_everything(deployment.nodes[0])
        if not has_sibling:
            assert entries(deployment.state_dirs[0]), "it had nothing under way: nothing is proved"
            assert leased(accounts_of_the_living(deployment)) > 0
            deployment.start_again(0)
        time.sleep(1)
    finally:
        load.stop()
    for state_dir in deployment.state_dirs:
        wait_for_quiet(state_dir)
    report = compare(accounts, account, sim.records()[begins:], load.seen)
    assert report["lost"] == report["double"] == report["wrong"] == 0, report
    assert (report["whole"], load.seen.refused) > (0, 0)
    assert accounts.differences() == ()
    assert lessees(accounts) <= deployment.workers(), "a worker that is gone still leases"


def lessees(accounts: Accounts) -> set[str]:
    """The workers that lease something."""

    async def work(_: SqlAdmin, database: Database) -> set[str]:
        query = select(leases.c.worker_id)
        return set(await database.read(lambda connection: connection.execute(query).scalars().all()))

    return accounts.run(work)


def accounts_of_the_living(deployment: Deployment) -> Accounts:
    """They wait for the journal of the second node alone."""
    return Accounts(deployment.nodes[1].config)


# Work that is done once


def test_one_of_all_workers_tells_and_another_goes_on_when_it_dies(nodes: Deployment, pager: Receiver) -> None:
    """All of them would look three times a second, and a page is repeated after a second, by whoever looks."""
    account = nodes.accounts.create()
    watch_model(nodes.nodes[0], "sim/reasoner")
    fail(nodes.nodes, account, "sim/reasoner")
    for _ in range(2):
        assert "sim/reasoner" in json.dumps(pager.next())
    (teller,) = tellers(nodes)
    (holder,) = holders(nodes, "alerts")
    kill_everything(nodes.nodes[teller])
    while not tellers(nodes) - {teller}:
        pager.next()
    (successor,) = holders(nodes, "alerts")
    assert successor != holder
    nodes.start_again(teller)


def holders(nodes: Deployment, name: str) -> list[int]:
    """The sessions of the database that have the deployment's lock of this name."""
    query = """SELECT pid FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
        WHERE locktype = 'advisory' AND granted AND datname = current_database() AND objid = %s"""
    with psycopg.connect(nodes.database_url) as connection:
        return [pid for (pid,) in connection.execute(query, (crc32(name.encode()),)).fetchall()]


def tellers(nodes: Deployment) -> set[int]:
    """Which nodes have told somebody."""
    return {number for number, node in enumerate(nodes.nodes) if any("alert_told" in line for line in node.lines)}


def watch_model(node: Gateway, model: str) -> None:
    rule = {"model": model, "enabled": True, "errorRateSlo": 0.999, "minRequestsPerWindow": 4}
    headers = {"X-O11Y-ADMIN-TOKEN": METRICS_TOKEN}
    request = Request(f"{node.url}/alerting/config", json.dumps(rule).encode(), headers, method="PUT")
    with urlopen(request, timeout=10) as answer:
        assert answer.status == 200


def fail(nodes: list[Gateway], account: Account, model: str) -> None:
    for number in range(4):
        assert ask(nodes[number % len(nodes)], account, chat(model, sim={"status": 500})).status == 500
