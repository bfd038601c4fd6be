"""Own keys are tried the way requests go, and nothing of them or of the answer is told."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest

from tollway.admin.own_key_probes import KEY_WORKS, KeyProbes, list_key_models, try_own_key
from tollway.admin.own_keys import add_own_key, delete_own_key, enable_own_key
from tollway.admin.probe_limits import ProbeLimits
from tollway.admin.records import StoredOwnKey
from tollway.admin.upstream_probes import FAILED, TEST_S, Probed
from tollway.catalog.model import Model, Offer
from tollway.catalog.preset import Preset
from tollway.catalog.snapshot import build_snapshot
from tollway.errors import Code, Problem
from tollway.identity.sealing import seal
from tollway.ids import random_bytes
from tollway.providers.registry import Upstream
from tollway.providers.rulebook import Rulebook
from tollway.providers.vercel import PROVIDER as VERCEL
from tollway.routing.own_keys import KeyCandidates
from tollway.storage.sql.identity import SqlIdentity
from unit.admin.test_own_keys import AWS, CANARY, World, play
from unit.gateway.fakes import PRICE, SEALING_KEYS, upstream

__all__ = ["play"]  # the fixture

GATEWAY = replace(upstream("second"), provider=VERCEL)


def sold(id_: str, completion_usd: str) -> Model:
    price = replace(PRICE, completion_usd=Decimal(completion_usd))
    return Model(id_, id_, 1_000, 100, (Offer("sim", id_, price),))


CATALOG = build_snapshot([sold("x/dear", "2"), sold("x/cheap", "1"), sold("a/other", "0.1")])
ENDPOINTS = {"x/dear": ("anthropic", "bedrock"), "x/cheap": ("anthropic",), "a/other": ("openai",)}


@dataclass
class Asked:
    """Implements Asking; remembers what it was asked."""

    answer: tuple[int, bytes] | None = (200, b"{}")
    asked: list[tuple[Upstream, bytes, bytes, float]] = field(default_factory=list)

    async def __call__(
        self, to: Upstream, head: bytes, body: bytes, timeout_s: float, _: int
    ) -> tuple[int, bytes] | None:
        self.asked.append((to, head, body, timeout_s))
        return self.answer


def probes(ask: Asked, gateway: Upstream | None = GATEWAY, most: int = 20) -> KeyProbes:
    candidates, preset = KeyCandidates(Preset(), ENDPOINTS), Preset()
    return KeyProbes(ask, ProbeLimits(most, lambda: 0), gateway, candidates.of, lambda: CATALOG, Rulebook(preset))


Play = Callable[[Callable[[World], Awaitable[None]]], None]


def test_the_cheapest_model_is_asked_with_that_key_alone(play: Play) -> None:
    async def scenario(world: World) -> None:
        await add_own_key(world.desk, world.ann, "anthropic", CANARY)
        await add_own_key(world.desk, world.ann, "openai", "sk-another-key-0000")
        ask = Asked()
        assert await try_own_key(probes(ask), world.desk, world.ann, "anthropic") == Probed(True, KEY_WORKS)
        ((to, head, body, timeout_s),) = ask.asked
        assert (to, timeout_s) == (GATEWAY, TEST_S)
        assert head.endswith(b"Content-Length: %d\r\n" % len(body))
        sent = json.loads(body)
        assert (sent["model"], sent["messages"]) == ("x/cheap", [{"role": "user", "content": "Say hi"}])
        gateway = {"only": ["anthropic"], "byok": {"anthropic": [{"apiKey": CANARY}]}}
        assert sent["providerOptions"] == {"gateway": gateway}

    play(scenario)


@pytest.mark.parametrize("answer", [None, (401, CANARY.encode()), (302, b""), (500, b"")])
def test_a_failure_is_told_without_what_the_upstream_says(play: Play, answer: tuple[int, bytes] | None) -> None:
    async def scenario(world: World) -> None:
        await add_own_key(world.desk, world.ann, "anthropic", CANARY)
        ask = Asked(answer)
        assert await try_own_key(probes(ask), world.desk, world.ann, "anthropic") == Probed(False, FAILED)

    play(scenario)


def test_a_key_that_is_off_can_be_tried_and_one_of_an_object(play: Play) -> None:
    async def scenario(world: World) -> None:
        await add_own_key(world.desk, world.ann, "bedrock", AWS)
        await enable_own_key(world.desk, world.ann, "bedrock", enabled=False)
        ask = Asked()
        assert await try_own_key(probes(ask), world.desk, world.ann, "bedrock") == Probed(True, KEY_WORKS)
        sent = json.loads(ask.asked[0][2])
        assert sent["model"] == "x/dear"
        assert sent["providerOptions"]["gateway"]["byok"] == {"bedrock": [json.loads(AWS)]}

    play(scenario)


def test_models_are_those_of_the_catalog_that_its_provider_serves(play: Play) -> None:
    async def scenario(world: World) -> None:
        added = await add_own_key(world.desk, world.acme, "anthropic", CANARY)
        assert isinstance(added, StoredOwnKey)
        for who in (world.desk, world.as_(world.bob)):
            assert await list_key_models(probes(Asked()), who, world.acme, added.id) == ["x/cheap", "x/dear"]

    play(scenario)


def test_who_may_and_how_often(play: Play) -> None:
    async def scenario(world: World) -> None:
        await add_own_key(world.desk, world.acme, "anthropic", CANARY)
        ask = Asked()
        some = probes(ask, most=1)
        for desk, owner, named, code in (
            (world.as_(world.bob), world.acme, "anthropic", Code.FORBIDDEN),
            (world.as_(world.bob), world.bob, "anthropic", Code.NOT_FOUND),
            (world.as_(world.ann), world.acme, "anthropic", None),
            (world.as_(world.ann), world.acme, "anthropic", Code.RATE_LIMITED),
        ):
            assert _code(await try_own_key(some, desk, owner, named)) is code
        stranger = await list_key_models(some, world.as_(world.bob), world.bob, "anthropic")
        assert _code(stranger) is Code.NOT_FOUND
        assert len(ask.asked) == 1

    play(scenario)


def test_what_cannot_be_tried(play: Play) -> None:
    async def scenario(world: World) -> None:
        desk, ann, ask = world.desk, world.ann, Asked()
        await add_own_key(desk, ann, "anthropic", CANARY)
        await add_own_key(desk, ann, "google", CANARY)
        assert _code(await try_own_key(probes(ask, None), desk, ann, "anthropic")) is Code.SERVICE_UNAVAILABLE
        unserved = await try_own_key(probes(ask), desk, ann, "google")
        assert isinstance(unserved, Problem)
        assert unserved.shown == "provider: serves no model of the catalog"
        blind = replace(desk, keys=replace(SEALING_KEYS, master={"k": bytes(32)}, active="k"))
        closed = await try_own_key(probes(ask), blind, ann, "anthropic")
        assert _code(closed) is Code.CREDENTIAL_UNAVAILABLE
        assert CANARY not in repr(closed) + repr(unserved)
        assert ask.asked == []

    play(scenario)


def test_what_is_no_key_of_its_provider_does_not_work(play: Play) -> None:
    """It was taken over from elsewhere: nothing of the kind is stored here."""

    async def scenario(world: World) -> None:
        desk, ann, ask = world.desk, world.ann, Asked()
        added = await add_own_key(desk, ann, "bedrock", AWS)
        assert isinstance(added, StoredOwnKey)
        (row,) = (await _owned(world)).keys
        await desk.store.replace_own_key(
            ann, added.id, seal("x", row.place, desk.keys, random_bytes), "", desk.now, None
        )
        assert await try_own_key(probes(ask), desk, ann, "bedrock") == Probed(False, FAILED)
        assert ask.asked == []
        await delete_own_key(desk, ann, "bedrock")
        assert await desk.store.sealed_own_key(ann, added.id) is None

    play(scenario)


async def _owned(world: World) -> Any:
    return await SqlIdentity(world.desk.store._database).owned(world.ann)  # type: ignore[attr-defined]


def _code(result: object) -> Code | None:
    return result.code if isinstance(result, Problem) else None
