"""Vectors of response-path §16.11 about alerts: the table on SQLite, a round by hand, and the route through the API."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from contract.observed import MODEL, Watch
from contract.scenario import START
from tollway.admin.alerts import Round, look, promises
from tollway.http.observation import Observation
from tollway.observability.alerting.evaluation import Count
from tollway.observability.alerting.notification import message_of
from tollway.observability.alerting.rules import WINDOWS, Severity
from tollway.storage.migrations.run import migrate
from tollway.storage.presets import load_preset
from tollway.storage.sql.database import open_database
from unit.http.test_observation import TOKEN, ask

PAGE = f"o11y:alert:page:error_rate:openai:{MODEL}:kilo-gateway"
TICKET = f"o11y:alert:ticket:error_rate:openai:{MODEL}:kilo-gateway"
Scene = Callable[[Watch], Awaitable[None]]


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("alerts") / "tollway.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def play(migrated: Path, tmp_path: Path) -> Callable[[Scene], None]:
    """Runs a scene on a database of its own."""

    def run(scene: Scene) -> None:
        async def whole() -> None:
            path = tmp_path / "tollway.db"
            path.write_bytes(migrated.read_bytes())
            database = open_database(f"sqlite:///{path}")
            try:
                await scene(Watch(database))
            finally:
                await database.close()

        asyncio.run(whole())

    return run


def test_the_windows_are_those_of_the_page() -> None:
    assert load_preset("kilo").alert_windows == WINDOWS


@pytest.mark.parametrize("late", [pytest.param(100, id="response:V187"), pytest.param(9, id="response:V188")])
def test_both_sides_of_a_window_must_burn(play: Callable[[Scene], None], late: int) -> None:
    async def scene(watch: Watch) -> None:
        await watch.promise(0.999)
        await watch.requests(0.5, late, 3)
        await watch.requests(4, 1000 - late, 17)
        found = await look(watch.store, WINDOWS[0], await promises(watch.store), watch.now)
        if late == 9:
            assert found == ()
            return
        assert [round(breach.burn_rate, 6) for breach in found] == [20]
        assert round(Count(late, 3).burn_rate(0.999), 6) == 30
        assert (await watch.look()).told == (PAGE,)
        assert watch.told[0].window == WINDOWS[0]

    play(scene)


@pytest.mark.parametrize(
    ("slo", "minutes_ago", "per_side", "raw"),
    [
        pytest.param(0.99, (2, 20), (100, 6), 5.999999999999995, id="response:V189"),
        pytest.param(0.999, (0.5, 4), (1250, 18), 14.399999999999986, id="response:V190"),
    ],
)
def test_an_exact_hit_counts(
    play: Callable[[Scene], None],
    slo: float,
    minutes_ago: tuple[float, float],
    per_side: tuple[int, int],
    raw: float,
) -> None:
    async def scene(watch: Watch) -> None:
        await watch.promise(slo)
        for minutes in minutes_ago:
            await watch.requests(minutes, *per_side)
        assert (await watch.look()).told == (PAGE,)
        assert watch.told[0].burn_rate == raw

    play(scene)


@pytest.mark.parametrize("byok", [pytest.param(True, id="response:V191")])
def test_own_keys_alert_nobody(play: Callable[[Scene], None], byok: bool) -> None:
    async def scene(watch: Watch) -> None:
        await watch.promise(0.999)
        await watch.requests(0.5, 100, 100, user_byok=byok)
        assert await watch.look() == Round((), (), ())

    play(scene)


async def a_ticket(watch: Watch) -> None:
    await watch.promise(0.999)
    await watch.requests(20, 1000, 2)


async def a_page(watch: Watch) -> None:
    await watch.promise(0.999)
    await watch.requests(0.5, 1000, 100)


@pytest.mark.parametrize(
    ("condition", "fired", "told", "silenced"),
    [
        pytest.param(a_ticket, (PAGE, 10, Severity.PAGE), (), (TICKET,), id="response:V192"),
        pytest.param(a_page, (TICKET, 10, Severity.TICKET), (PAGE,), (PAGE, TICKET), id="response:V193"),
        pytest.param(a_page, (PAGE, 16, Severity.PAGE), (PAGE,), (PAGE, TICKET), id="response:V194"),
    ],
)
def test_who_was_told_is_not_told_again(
    play: Callable[[Scene], None],
    condition: Scene,
    fired: tuple[str, int, Severity],
    told: tuple[str, ...],
    silenced: tuple[str, ...],
) -> None:
    async def scene(watch: Watch) -> None:
        await condition(watch)
        await watch.fired(*fired)
        assert await watch.look() == Round(told, silenced, ())

    play(scene)


@pytest.mark.parametrize("away", [pytest.param("openai", id="response:V195")])
def test_a_webhook_that_fails(play: Callable[[Scene], None], away: str) -> None:
    async def scene(watch: Watch) -> None:
        await a_page(watch)
        await watch.requests(0.5, 100, 50, provider="vercel")
        watch.away = {away}
        first = await watch.look()
        other = PAGE.replace(away, "vercel")
        assert first.told == (other,)
        assert len(first.failures) == 3  # two windows of pages, and the ticket that no page silences
        assert first.summary == "Alert evaluation failed with 3 error(s)"
        assert not await watch.store.are_silenced([PAGE, TICKET], watch.now)
        watch.away = set()
        assert (await watch.look()).told == (PAGE,)

    play(scene)


@pytest.mark.parametrize(
    ("ttfb_ms", "is_slow"), [pytest.param(3000, False, id="response:V196"), pytest.param(3001, True, id="V196-slower")]
)
def test_slow_is_more_than_the_threshold(play: Callable[[Scene], None], ttfb_ms: int, is_slow: bool) -> None:
    async def scene(watch: Watch) -> None:
        await watch.promise_speed(3000, 0.95)
        await watch.requests(0.5, 100, 100, slow_ms=ttfb_ms)
        assert bool((await watch.look()).told) is is_slow

    play(scene)


@pytest.mark.parametrize("share", [pytest.param(12, id="response:V197")])
def test_slowness_is_told_in_words(play: Callable[[Scene], None], share: int) -> None:
    async def scene(watch: Watch) -> None:
        await watch.promise_speed(3000, 0.95)
        await watch.requests(100, 1000, share * 10, slow_ms=3500)
        await watch.requests(20, 1000, share * 10, slow_ms=3500)
        assert (await watch.look()).told == (TICKET.replace("error_rate", "ttfb"),)
        message = message_of(watch.told[0])
        lines = message["blocks"][2]["text"]["text"].split("\n")
        assert lines == [
            "12.00% of requests exceeded 3000ms TTFB (budget: 5.00%)",
            "Requests in window: 2,000",
            "Client: kilo-gateway",
        ]
        assert message["blocks"][0]["text"]["text"] == ":ticket: TICKET — LLM TTFB Latency SLO Breach"
        assert "2.4x (threshold: 1x)" in message["blocks"][1]["fields"][2]["text"]

    play(scene)


@pytest.mark.parametrize("path", [pytest.param("/alerting/config", id="response:V198")])
def test_a_rule_is_deleted_by_its_model(play: Callable[[Scene], None], path: str) -> None:
    async def scene(watch: Watch) -> None:
        routes = Observation(TOKEN, lambda _: True, watch.store, lambda: START)
        status, body = await ask(routes, "DELETE", path)
        assert (status, body) == (400, b'{"success":false,"error":"model is required"}')

    play(scene)
