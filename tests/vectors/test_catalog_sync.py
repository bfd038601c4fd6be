"""Vectors S-01 to S-32 of catalog-and-clients, G.3."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis as redis_client

from servers.feeds import Feeds, card, model, provider
from servers.redis import RedisServer, running
from tollway.admin import feed_gathering, sync
from tollway.admin.snapshot_reading import SnapshotReader
from tollway.billing.store import StoreUnavailableError
from tollway.catalog.assemble import assemble_catalog
from tollway.catalog.classification import Classification
from tollway.catalog.feed.building import build_providers, normalised, sort_key
from tollway.catalog.feed.payloads import read_payloads
from tollway.catalog.feed.pricing import unpriced
from tollway.catalog.feed.reading import read_cards, read_directory
from tollway.catalog.listing import Known, list_models
from tollway.clock import monotonic
from tollway.settings import parse
from tollway.storage.redis.mirror import META, OPENROUTER, PREFIX, PROVIDERS, PUBLIC_PROVIDERS, VERCEL
from tollway.storage.sql import snapshots as sql_snapshots
from tollway.storage.sql.catalog import SqlPrices
from tollway.storage.sql.database import Database
from tollway.storage.sql.snapshots import SqlSnapshots
from vectors.syncing import KILO, START, Deployment

KEYS = (PROVIDERS, OPENROUTER, VERCEL, PUBLIC_PROVIDERS, META)


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with running() as server:
        yield server


@pytest.fixture
def keys(redis: RedisServer) -> Iterator[Any]:
    """A plain client of an empty Redis."""
    client = redis_client.Redis(port=redis.port)
    client.flushall()
    yield client
    client.close()


def feeds_of(providers: int, models: int) -> Feeds:
    """So many providers with so many models in all, besides none of hosted ones."""
    feeds = Feeds(providers=providers)
    names = list(feeds.cards)
    feeds.cards = {name: [] for name in names}
    for number in range(models):
        feeds.cards[names[number % len(names)]].append(card(f"a/m-{number}"))
    return feeds


def deployment(folder: Path, feeds: Feeds | None = None, *gateways: str, redis: str = "") -> Deployment:
    """With a preset that hosts nothing, so that only what is listed counts."""
    made = Deployment(folder, feeds, *gateways, redis=redis)
    made.preset = type(KILO)()
    return made


@pytest.mark.parametrize(
    ("providers", "models", "reasons"),
    [
        pytest.param(9, 500, ("Suspicious: total number of providers is 9 < 10",), id="catalog:S-01"),
        pytest.param(10, 100, (), id="catalog:S-02"),
        pytest.param(12, 99, ("Suspicious: total number of models is 99 < 100",), id="catalog:S-03"),
    ],
)
def test_too_little_is_never_stored(
    tmp_path: Path, redis: RedisServer, keys: Any, providers: int, models: int, reasons: tuple[str, ...]
) -> None:
    made = deployment(tmp_path, feeds_of(providers, models), redis=redis.url)
    result = made.run()
    assert (result.outcome, result.reasons) == ("failed" if reasons else "stored", reasons)
    assert len(made.rows()) == keys.exists(META) == (0 if reasons else 1)


@pytest.mark.parametrize("count", [pytest.param(99, id="catalog:S-04-99"), pytest.param(100, id="catalog:S-04-100")])
def test_the_second_gateway_counts_as_well(tmp_path: Path, count: int) -> None:
    result = deployment(tmp_path, Feeds(vercel=count)).run()
    failed = ("Suspicious: total number of vercel models is 99 < 100",)
    assert (result.outcome, result.reasons) == (("stored", ()) if count == 100 else ("failed", failed))


@pytest.mark.parametrize("vector", [pytest.param(one, id=f"catalog:S-0{one}") for one in (5, 6, 7)])
def test_the_ancillary_list_fails_nobody(
    tmp_path: Path, redis: RedisServer, keys: Any, monkeypatch: pytest.MonkeyPatch, vector: int
) -> None:
    made = deployment(tmp_path, redis=redis.url)
    assert made.run().is_mirrored
    before = keys.mget(KEYS)
    made.feeds.models.append(model("a/new"))
    made.feeds.cards["Provider-1"].append(card("a/new"))
    made.feeds.vercel.append({"id": "a/new", "name": "New"})
    if vector == 5:
        made.feeds.says["public", "/providers"] = (500, b"{}")
    elif vector == 6:
        made.feeds.public = made.feeds.public[:9]
    else:
        monkeypatch.setattr(feed_gathering, "PUBLIC_S", 0.05)
        monkeypatch.setattr("servers.feeds.FakeSources.get", _hanging)
    began = time.monotonic()
    assert made.run().outcome == "stored"
    assert time.monotonic() - began < 10
    after = keys.mget(KEYS)
    assert after[3] == before[3] is not None
    assert all(old != new for old, new in zip(before[:3], after[:3], strict=True))


async def _hanging(sources: Any, where: str, path: str, retries: int = 2) -> bytes | None:
    if where == "public":
        await asyncio.sleep(60)
    status, body = sources.feeds.answer(where, path)
    return body if status == 200 else None


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:S-08")])
def test_an_ancillary_entry_without_a_slug_is_dropped(tmp_path: Path, redis: RedisServer, keys: Any, _: int) -> None:
    feeds = Feeds()
    del feeds.public[0]["slug"]
    deployment(tmp_path, feeds, redis=redis.url).run()
    assert [one["slug"] for one in json.loads(keys.get(PUBLIC_PROVIDERS))] == [f"p{n}" for n in range(1, 12)]


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:S-09")])
def test_without_redis_the_run_succeeds(tmp_path: Path, _: int) -> None:
    made = deployment(tmp_path, redis="redis://127.0.0.1:9/0")
    result = made.run()
    assert (result.outcome, result.is_mirrored, len(made.rows())) == ("stored", False, 1)
    assert [line for line in made.told if "mirror" in line] == [made.told[-1]]


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:S-10")])
def test_an_old_mirror_is_not_believed(tmp_path: Path, redis: RedisServer, keys: Any, _: int) -> None:
    made = deployment(tmp_path, redis=redis.url)
    made.run()
    made.redis = "redis://127.0.0.1:9/0"
    made.feeds.models.append(model("a/new"))
    made.run()
    made.redis = redis.url
    assert json.loads(keys.get(META))["snapshot_id"] == 1
    latest = read(made)
    assert latest.stored.id == 2
    assert "a/new" in latest.payloads.openrouter


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:S-11")])
def test_nothing_is_mirrored_that_is_not_stored(
    tmp_path: Path, redis: RedisServer, keys: Any, monkeypatch: pytest.MonkeyPatch, _: int
) -> None:
    made = deployment(tmp_path, redis=redis.url)

    async def put(*_: Any) -> int:
        raise StoreUnavailableError("away")

    monkeypatch.setattr(SqlSnapshots, "put", put)
    with pytest.raises(StoreUnavailableError):
        made.run()
    assert keys.keys(f"{PREFIX}*") == []


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:S-12")])
def test_a_crash_in_the_middle_leaves_one_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, _: int) -> None:
    made = deployment(tmp_path)
    made.run()

    def crash(*_: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(sql_snapshots, "add_prices", crash)
    with pytest.raises(RuntimeError):
        made.run()
    assert made.rows() == [1]


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:S-13")])
def test_runs_never_overlap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, _: int) -> None:
    monkeypatch.setattr(sync, "LOCK_PAUSE_S", 0.001)
    made = deployment(tmp_path)
    held = asyncio.Event()
    ask = made.feeds.answer

    async def slow(sources: Any, where: str, path: str, retries: int = 2) -> bytes | None:
        await held.wait()
        status, body = ask(where, path)
        return body if status == 200 else None

    async def both(database: Database) -> list[str]:
        monkeypatch.setattr("servers.feeds.FakeSources.get", slow)

        async def second() -> str:
            outcome = (await made.run_in(database)).outcome
            held.set()
            return outcome

        async def first() -> str:
            return (await made.run_in(database)).outcome

        return list(await asyncio.gather(first(), second()))

    assert made.work(both) == ["stored", "running"]
    assert made.rows() == [1]


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:S-14")])
def test_the_directory_comes_in_two_shapes(_: int) -> None:
    entries = [provider("a"), provider("b")]
    bare, wrapped = json.dumps(entries).encode(), json.dumps({"data": entries}).encode()
    assert read_directory(bare) == read_directory(wrapped)
    assert len(read_directory(bare).entries) == 2


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:S-15")])
def test_a_provider_without_models_is_absent(tmp_path: Path, _: int) -> None:
    feeds = Feeds(providers=13)
    feeds.cards["Provider-3"] = []
    made = deployment(tmp_path, feeds)
    assert made.run().total_providers == 12
    assert "provider-3" not in {one["slug"] for one in json.loads(made.stored().texts.providers)["providers"]}


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:S-16")])
def test_of_variants_the_later_card_counts(_: int) -> None:
    cards = read_cards(json.dumps({"data": {"models": [card("a/m", "first"), card("a/m:free", "later")]}}).encode())
    directory = read_directory(json.dumps([provider("p")]).encode()).entries
    built = build_providers(directory, {"p": cards.entries}, (), {}, "now")
    assert [(one.slug, one.name) for one in built.providers[0].models] == [("a/m:free", "later")]
    assert built.total_models == 1


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:S-17")])
def test_a_provider_that_only_hosted_models_know(tmp_path: Path, _: int) -> None:
    made = Deployment(tmp_path)
    made.run()
    listed = json.loads(made.stored().texts.providers)["providers"]
    (stealth,) = [one for one in listed if one["slug"] == "stealth"]
    models = stealth.pop("models")
    assert stealth == {
        "name": "Stealth",
        "displayName": "Stealth",
        "slug": "stealth",
        "dataPolicy": {"training": True, "retainsPrompts": True, "canPublish": False},
        "headquarters": "Unknown",
        "datacenters": ["Global"],
    }
    assert [one["slug"] for one in models] == ["giga-potato", "giga-potato-thinking"]
    assert {(one["author"], one["group"]) for one in models} == {("Other", "other")}


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:S-18")])
def test_names_are_sorted_by_letters(_: int) -> None:
    assert sorted(["z", "B", "a", "É", "e", "10", "2"], key=sort_key) == ["10", "2", "a", "B", "e", "É", "z"]


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:S-19")])
def test_one_wrong_price_drops_one_entry(tmp_path: Path, _: int) -> None:
    feeds = Feeds(models=101)
    feeds.models[5]["pricing"]["prompt"] = 0.000002
    made = deployment(tmp_path, feeds)
    result = made.run()
    assert (result.outcome, result.dropped) == (
        "stored",
        {"openrouter.shape": 1},
    )
    assert len(json.loads(made.stored().texts.openrouter)) == 100
    assert result.dropped_ids == (feeds.models[5]["id"],)


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:S-20")])
def test_a_price_that_varies_is_none(tmp_path: Path, _: int) -> None:
    feeds = Feeds()
    feeds.models.append(model("router/auto", "-1", "-1"))
    made = deployment(tmp_path, feeds)
    assert made.run().outcome == "stored"
    payloads = read_payloads(made.stored().texts)
    settings = parse({"providers": {"openrouter": {"api_key": "k"}}})
    rows = made.work(lambda database: SqlPrices(database).in_force(made.now()))
    catalog = assemble_catalog(settings, rows, START, (), unpriced(payloads.openrouter or {}))
    assert catalog.find("router/auto") is None
    known = Known(tuple(catalog.models.values()), payloads.openrouter, {"openrouter"}, {"openrouter"})
    listed = list_models(known, made.preset, Classification(made.preset).kind_of, 0)
    (entry,) = [json.loads(one.text) for one in listed.entries if one.id == "router/auto"]
    assert entry["pricing"]["prompt"] == "-1"


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:S-21")])
def test_endpoints_that_cannot_be_had_leave_a_model_as_it_was(tmp_path: Path, _: int) -> None:
    made = deployment(tmp_path)
    made.run()
    id_ = made.feeds.models[7]["id"]
    path = f"/models/{id_}/endpoints"
    made.feeds.models[7]["name"] = "Renamed"
    made.feeds.says["openrouter", path] = (500, b"")
    made.feeds.asked.clear()
    result = made.run()
    assert (result.outcome, result.kept) == ("stored", (id_,))
    assert made.feeds.asked.count(("openrouter", path)) == 2
    assert json.loads(made.stored().texts.openrouter)[id_]["name"] == f"Model {id_}"


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:S-22")])
def test_too_many_endpoints_that_cannot_be_had_fail_the_run(tmp_path: Path, _: int) -> None:
    made = deployment(tmp_path, Feeds(models=200))
    for one in made.feeds.models[:4]:
        made.feeds.says["openrouter", f"/models/{one['id']}/endpoints"] = (500, b"")
    assert made.run().outcome == "stored"  # 2 % are borne
    for one in made.feeds.models[:6]:
        made.feeds.says["openrouter", f"/models/{one['id']}/endpoints"] = (500, b"")
    assert made.run().reasons == ("openrouter: the endpoints of 6 of 200 models cannot be had",)


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:S-23")])
def test_half_of_the_models_gone_waits_for_the_operator(tmp_path: Path, _: int) -> None:
    made = deployment(tmp_path, Feeds(models=240))
    made.run()
    models = made.feeds.models
    made.feeds.models = models[:119]
    held = made.run()
    assert (held.outcome, held.reasons) == ("held", ("119 openrouter models, fewer than half of 240",))
    assert made.rows() == [1]
    assert made.run(accept=True).outcome == "stored"
    made.feeds.models = models
    made.run()
    made.feeds.models = models[:120]
    assert made.run().outcome == "stored"


@pytest.mark.parametrize(
    ("prompt", "outcome"),
    [
        pytest.param("0.00002", "held", id="catalog:S-24"),
        pytest.param("0.0000002", "held", id="catalog:S-24-divided"),
        pytest.param("-1", "held", id="catalog:S-24-gone"),
        pytest.param("-5", "held", id="catalog:S-24-negative"),
        pytest.param("0.0000199999", "stored", id="catalog:S-24-not-quite"),
        pytest.param("0.00000020001", "stored", id="catalog:S-24-not-quite-divided"),
    ],
)
def test_a_leap_of_a_price_waits_for_the_operator(tmp_path: Path, prompt: str, outcome: str) -> None:
    made = deployment(tmp_path)
    made.run()
    made.feeds.models[3]["pricing"]["prompt"] = prompt
    result = made.run()
    assert result.outcome == outcome, result.reasons
    assert made.rows() == ([1, 2] if outcome == "stored" else [1])


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:S-25")])
def test_a_gateway_without_a_key_is_not_asked(tmp_path: Path, redis: RedisServer, keys: Any, _: int) -> None:
    keys.set(VERCEL, b"old")
    made = deployment(tmp_path, Feeds(), "openrouter", redis=redis.url)
    assert made.run().outcome == "stored"
    assert not any(where == "vercel" for where, _ in made.feeds.asked)
    assert made.stored().texts.vercel is None
    assert keys.get(VERCEL) is None


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:S-26")])
def test_readers_bear_whatever_redis_holds(tmp_path: Path, redis: RedisServer, keys: Any, _: int) -> None:
    made = deployment(tmp_path, redis=redis.url)
    made.run()
    keys.set(OPENROUTER, b"\x00 garbage")
    misses: list[None] = []

    async def work(database: Database) -> None:
        mirror = made.open_mirror()
        assert mirror
        reader = SnapshotReader(SqlSnapshots(database), mirror, monotonic, lambda: misses.append(None))
        await reader.refresh()
        assert reader.latest
        assert reader.latest.stored.id == 1
        reader._snapshots = Away()
        with pytest.raises(StoreUnavailableError):
            await reader.refresh()
        assert (await reader.read()) is reader.latest is not None
        nothing = SnapshotReader(Away(), mirror, monotonic, lambda: misses.append(None))
        assert await nothing.read() is None
        await mirror.close()

    made.work(work)
    assert len(misses) == 3


class Away:
    """A SnapshotStore whose database is not there."""

    async def newest_id(self) -> int | None:
        raise StoreUnavailableError("away")

    newest: Any = newest_id
    previous: Any = newest_id
    put: Any = newest_id


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:S-27")])
def test_a_failed_load_is_tried_again(tmp_path: Path, _: int) -> None:
    made = deployment(tmp_path)
    made.run()

    async def work(database: Database) -> None:
        seconds = [100.0]
        store = SqlSnapshots(database)
        reader = SnapshotReader(Away(), None, lambda: seconds[0], lambda: None)
        assert await reader.read() is None
        assert reader.serving("vendor/provider-1-1") == frozenset()
        reader._snapshots = store
        assert await reader.read() is None  # at most once a second
        seconds[0] += 1
        assert await reader.read() is not None
        assert reader.serving("vendor/provider-1-1") == {"provider-1"}

    made.work(work)


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:S-28")])
def test_a_redis_that_does_not_answer_costs_its_time_out(tmp_path: Path, redis: RedisServer, keys: Any, _: int) -> None:
    made = deployment(tmp_path, redis=redis.url)
    made.run()
    redis.freeze()
    try:
        began = time.monotonic()
        assert read(made).stored.id == 1
        assert time.monotonic() - began < 0.25 + 1.0  # its time-out here, and the slack of a busy machine
    finally:
        redis.thaw()


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:S-31")])
def test_nothing_expires(tmp_path: Path, redis: RedisServer, keys: Any, _: int) -> None:
    deployment(tmp_path, redis=redis.url).run()
    assert [keys.ttl(key) for key in KEYS] == [-1] * 5


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:S-32")])
def test_all_keys_change_at_once(tmp_path: Path, redis: RedisServer, keys: Any, _: int) -> None:
    made = deployment(tmp_path, redis=redis.url)
    with keys.monitor() as monitor:
        made.run()
        commands = []
        while not commands or commands[-1] != "EXEC":
            commands.append(monitor.next_command()["command"].partition(" ")[0])
    assert commands == ["MULTI", "SET", "SET", "SET", "SET", "SET", "EXEC"]


def read(made: Deployment) -> Any:
    """The snapshot that a new worker would read."""

    async def work(database: Database) -> Any:
        mirror = made.open_mirror()
        reader = SnapshotReader(SqlSnapshots(database), mirror, monotonic, lambda: None)
        try:
            await reader.refresh()
        finally:
            if mirror:
                await mirror.close()
        return reader.latest

    return made.work(work)


def test_normalised_ids_have_no_variant() -> None:
    assert normalised("a/b:free:x") == "a/b"
