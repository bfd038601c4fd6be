import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from tollway.catalog.client_model import ClientModel, ModelMap
from tollway.client.errors import ClientError
from tollway.client.gateways import Gateway
from tollway.client.model_lists import ListAnswer, ModelLists, Shelf, State
from unit.client.fakes import EmptyShelf, FullShelf, gateways

OK = ListAnswer(200, b'{"data":[{"id":"a/b","context_length":5}]}')
NOBODY = ListAnswer(200, b'{"data":[]}')
REFUSED = ListAnswer(401, b"{}")
EMPTY = ListAnswer(200, b'{"data":[]}')
OLD = {"old/m": ClientModel(id="old/m", name="old")}
KEYED = gateways(
    {},
    {"FASTROUTER_API_KEY": "k", "OPENAI_API_KEY": "k", "TOLLWAY_API_KEY": "k", "TOLLWAY_API_URL": "https://t.example"},
)


class Scripted:
    """Answers one after the other, the last one again and again; remembers who was asked, and whether without a key."""

    def __init__(self, *answers: ListAnswer) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[str, bool]] = []

    async def __call__(self, gateway: Gateway, without_key: bool) -> ListAnswer:
        self.asked.append((gateway.id, without_key))
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


class CountingShelf(EmptyShelf):
    count = 0

    def put(self, list_id: str, models: ModelMap) -> None:
        self.count += 1


def lists(ask: Scripted, shelf: Shelf | None = None, **more: Any) -> ModelLists:
    return ModelLists(ask, lambda: 1_000.0, shelf or EmptyShelf(), **more)


def test_an_empty_list_is_no_outage() -> None:
    """C.7: visible, not selectable, and one refresh that nobody waits for."""
    begun: list[Coroutine[Any, Any, object]] = []

    async def scenario() -> None:
        ask = Scripted(NOBODY, NOBODY, OK)
        of = lists(ask, beside=begun.append)
        first = await of.of(KEYED["fastrouter"])
        assert (first.state, first.is_selectable, len(begun)) == (State.EMPTY, False, 0)
        assert (await of.of(KEYED["fastrouter"])).state is State.EMPTY
        assert (len(ask.asked), len(begun)) == (1, 1), "it is fresh, and asked for beside"
        await begun.pop()
        assert (await of.of(KEYED["fastrouter"])).state is State.EMPTY
        await begun.pop()
        assert (await of.of(KEYED["fastrouter"])).state is State.LIVE

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("gateway", "asked", "state"),
    [
        ("tollway", [("tollway", False), ("tollway", True)], State.LIVE),
        ("openai", [("openai", False)], State.UNREACHABLE),
    ],
)
def test_a_key_that_is_refused(gateway: str, asked: list[tuple[str, bool]], state: State) -> None:
    """C.11: where there is something for everybody, that is shown, and said to be it."""
    ask, shelf = Scripted(REFUSED, OK), CountingShelf()
    found = asyncio.run(lists(ask, shelf).of(KEYED[gateway]))
    assert (ask.asked, found.state, shelf.count) == (asked, state, 0)
    assert "does not accept the key" in found.notice


def test_a_list_that_is_asked_for_without_the_key_says_nothing_of_the_key() -> None:
    found = asyncio.run(lists(Scripted(REFUSED)).of(KEYED["fastrouter"]))
    assert found.notice == "FastRouter is unreachable; no models loaded. Retrying."


@pytest.mark.parametrize(("body", "so"), [(OK, "this is its last list"), (EMPTY, "no models loaded")])
def test_an_old_list_is_not_called_none(body: ListAnswer, so: str) -> None:
    async def scenario() -> str:
        of = lists(Scripted(body, REFUSED))
        await of.of(KEYED["fastrouter"])
        return (await of.of(KEYED["fastrouter"], refresh=True)).notice

    assert asyncio.run(scenario()) == f"FastRouter is unreachable; {so}. Retrying."


def test_for_an_organization_there_is_nothing_for_everybody() -> None:
    environ = {"TOLLWAY_API_KEY": "k", "TOLLWAY_API_URL": "https://t.example", "TOLLWAY_ORG_ID": "org"}
    ask = Scripted(REFUSED, OK)
    found = asyncio.run(lists(ask).of(gateways({}, environ)["tollway"]))
    assert (len(ask.asked), found.state) == (1, State.UNREACHABLE)


def test_offline_shows_what_is_kept_and_asks_nobody() -> None:
    ask = Scripted(OK)
    kept = asyncio.run(lists(ask, FullShelf(OLD, 10_000), is_offline=True).of(KEYED["fastrouter"]))
    assert (list(kept.models), kept.state, ask.asked) == (["old/m"], State.STALE, [])
    nothing = asyncio.run(lists(ask, is_offline=True).of(KEYED["fastrouter"]))
    assert (nothing.state, ask.asked) == (State.UNREACHABLE, [])
    assert "TOLLWAY_DISABLE_MODELS_FETCH" in nothing.notice


@pytest.mark.parametrize(("age_s", "refresh", "count"), [(300, False, 0), (301, False, 1), (0, True, 1)])
def test_what_another_process_kept(age_s: float, refresh: bool, count: int) -> None:
    ask = Scripted(OK)
    found = asyncio.run(lists(ask, FullShelf(OLD, age_s)).of(KEYED["fastrouter"], refresh=refresh))
    assert len(ask.asked) == count
    assert list(found.models) == (["a/b"] if count else ["old/m"])


def test_who_asks_has_the_answer_when_the_one_that_asked_gives_up() -> None:
    async def scenario() -> None:
        reached, answered = asyncio.Event(), asyncio.Event()

        async def late(_: Gateway, __: bool) -> ListAnswer:
            reached.set()
            await answered.wait()
            return OK

        of = ModelLists(late, lambda: 0.0, EmptyShelf())
        first = asyncio.create_task(of.of(KEYED["fastrouter"]))
        await reached.wait()
        second = asyncio.create_task(of.of(KEYED["fastrouter"]))
        await asyncio.sleep(0)
        first.cancel()
        answered.set()
        assert list((await second).models) == ["a/b"]

    asyncio.run(scenario())


def test_forgotten_lists_are_asked_for_again() -> None:
    async def scenario() -> None:
        ask = Scripted(OK)
        of = lists(ask)
        for forgotten, count in (("", 1), ("openai", 1), ("fastrouter", 2)):
            of.forget(forgotten)
            await of.of(KEYED["fastrouter"])
            assert len(ask.asked) == count

    asyncio.run(scenario())


def test_impossible_words_of_the_user_are_an_error() -> None:
    tree = {"provider": {"fastrouter": {"options": {"apiKey": "k"}, "models": {"a/b": {"limit": 5}}}}}
    with pytest.raises(ClientError, match=r"provider\.fastrouter\.models\.a/b"):
        asyncio.run(lists(Scripted(OK)).of(gateways(tree)["fastrouter"]))
