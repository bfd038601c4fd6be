"""Vectors F-01 to F-25 of catalog-and-clients G.1: FastRouter's list as the models of a client."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from servers.lists import MIB, ListServer, list_server
from tollway.catalog.client_listing import OPENROUTER_LIST, read_listing
from tollway.catalog.client_model import ClientModel, as_json
from tollway.client.configuration import Layer, Rank, read_config
from tollway.client.credentials import NONE
from tollway.client.gateways import Gateway, known_gateways
from tollway.client.model_lists import Listed, ModelLists, State
from tollway.providers.registry import load_providers
from tollway.upstream.model_list import ListAsker, open_client
from unit.client.fakes import EmptyShelf

SONNET = {
    "id": "anthropic/claude-sonnet-4.6",
    "name": "Anthropic: Claude Sonnet 4.6",
    "created": 1756238927,
    "description": "…",
    "context_length": 1000000,
    "max_completion_tokens": 64000,
    "architecture": {
        "input_modalities": ["text", "image", "file"],
        "output_modalities": ["text"],
        "tokenizer": "Claude",
    },
    "pricing": {
        "prompt": "0.000003",
        "completion": "0.000015",
        "input_cache_read": "0.0000003",
        "input_cache_write": "0.00000375",
    },
    "supported_parameters": ["max_tokens", "temperature", "tools", "tool_choice", "reasoning", "include_reasoning"],
}
SONNET_READ = {
    "id": "anthropic/claude-sonnet-4.6",
    "name": "Anthropic: Claude Sonnet 4.6",
    "family": "anthropic",
    "release_date": "2025-08-26",
    "attachment": True,
    "reasoning": True,
    "temperature": True,
    "tool_call": True,
    "cost": {"input": 3, "output": 15, "cache_read": 0.3, "cache_write": 3.75},
    "limit": {"context": 1000000, "output": 64000},
    "options": {},
    "modalities": {"input": ["text", "image"], "output": ["text"]},
}
BARE = {
    "id": "x/y",
    "name": "x/y",
    "family": "x",
    "release_date": "",
    "attachment": False,
    "reasoning": False,
    "temperature": False,
    "tool_call": False,
    "cost": {"input": 0, "output": 0},
    "limit": {"context": 128000, "output": 16384},
    "options": {},
    "modalities": {"input": ["text"], "output": ["text"]},
}


def mapped(*entries: object) -> list[ClientModel]:
    found = read_listing(json.dumps({"data": entries}).encode(), OPENROUTER_LIST)
    assert found is not None
    return list(found.values())


def one(**fields: Any) -> dict[str, Any]:
    """What the client makes of this entry."""
    (model,) = mapped({"id": "x/y", **fields})
    record: dict[str, Any] = json.loads(as_json(model))
    return record


@pytest.mark.parametrize(
    ("entry", "expected"),
    [pytest.param(SONNET, SONNET_READ, id="catalog:F-01"), pytest.param({"id": "x/y"}, BARE, id="catalog:F-02")],
)
def test_a_whole_record(entry: dict[str, Any], expected: dict[str, Any]) -> None:
    assert list(one(**entry).items()) == list(expected.items())


def price(value: object) -> dict[str, Any]:
    return {"pricing": {"prompt": value}}


def inputs(value: object) -> dict[str, Any]:
    return {"architecture": {"input_modalities": value}}


# path → expected value; UNKNOWN: the field is not there
UNKNOWN = object()
TEXT = ["text"]
FIELDS: list[tuple[str, dict[str, Any], dict[str, object]]] = [
    ("F-03", {"id": "gpt-4"}, {"family": "gpt-4"}),
    ("F-04", {"id": "/y"}, {"family": ""}),
    ("F-05", {"id": "a/b/c"}, {"family": "a", "id": "a/b/c"}),
    *[("F-07", {"name": name}, {"name": "x/y"}) for name in ("", None)],
    *[("F-08", {"created": created}, {"release_date": ""}) for created in (0, None)],
    ("F-08", {"created": 1731000000}, {"release_date": "2024-11-07"}),
    *[("F-10", {"context_length": n}, {"limit.context": 128000}) for n in (0, None, "", -1, 1.5, "200000")],
    ("F-10", {"context_length": 200000}, {"limit.context": 200000}),
    ("F-11", {"max_completion_tokens": 0}, {"limit.output": 16384}),
    ("F-11", {"top_provider": {"max_completion_tokens": 8192}}, {"limit.output": 8192}),
    ("F-12", price("0.00000125"), {"cost.input": 1.25}),
    *[("F-13", price(value), {"cost.input": 0}) for value in ("", None, 0)],
    *[("F-13", fields, {"cost.input": 0}) for fields in ({"pricing": {}}, {})],
    *[("F-14", price(value), {"cost.input": UNKNOWN, "id": "x/y"}) for value in ("abc", "-1", "NaN", "0.5abc")],
    ("F-15", price(0.000002), {"cost.input": 2}),
    ("F-16", inputs([]), {"modalities.input": [], "attachment": False}),
    ("F-17", inputs(None), {"modalities.input": TEXT}),
    ("F-18", inputs(["image", "telepathy", "pdf"]), {"modalities.input": ["image", "pdf"], "attachment": True}),
    ("F-19", {"supported_parameters": ["include_reasoning"]}, {"reasoning": True, "tool_call": False}),
    ("F-19", {"supported_parameters": ["tool_choice"]}, {"tool_call": True, "reasoning": False}),
    ("F-19", {"supported_parameters": ["Tools"]}, {"tool_call": False}),
    *[("F-24", {"name": f"a{character}b"}, {"name": "ab"}) for character in ("\x1b", "\r", "\u202e")],
]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [pytest.param(fields, expected, id=f"catalog:{name}-{n}") for n, (name, fields, expected) in enumerate(FIELDS)],
)
def test_one_field(fields: dict[str, Any], expected: dict[str, object]) -> None:
    record = one(**fields)
    for path, value in expected.items():
        found: Any = record
        for part in path.split("."):
            found = found.get(part, UNKNOWN)
        assert found == value, path


@pytest.mark.parametrize("entry", [{"id": ""}, {"name": "n"}, {"id": None}, {"id": 7}], ids="catalog:F-06-{}".format)
def test_an_entry_without_an_id_is_left_out(entry: dict[str, Any]) -> None:
    assert [model.id for model in mapped({"id": "a"}, entry, {"id": "b"})] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            b'{"data":[{"id":"a"},{"id":"b","created":1e18},{"id":"c","created":1731000000}]}',
            [("a", ""), ("b", ""), ("c", "2024-11-07")],
            id="catalog:F-09",
        )
    ],
)
def test_one_bad_date_loses_nothing_else(text: bytes, expected: list[tuple[str, str]]) -> None:
    found = read_listing(text, OPENROUTER_LIST) or {}
    assert [(model.id, model.release_date) for model in found.values()] == expected


@pytest.mark.parametrize("names", [pytest.param(("1", "2"), id="catalog:F-20")])
def test_of_two_with_one_id_the_last_wins(names: tuple[str, str]) -> None:
    assert [model.name for model in mapped(*({"id": "a/b", "name": name} for name in names))] == ["2"]


# What a gateway may do, over a real connection


@pytest.fixture
def server() -> Iterator[ListServer]:
    with list_server() as running:
        yield running


def fastrouter_at(server: ListServer, **options: Any) -> Gateway:
    layer = Layer(Rank.INLINE, "inline", server.config(apiKey="sk-fake-key", **options))
    config = read_config([layer], {}, lambda path, _: path)
    return known_gateways(load_providers(), config, NONE, {}, 0)["fastrouter"]


def listed(gateway: Gateway) -> tuple[Listed, float]:
    """What it offers, and how many seconds that took."""

    async def ask() -> tuple[Listed, float]:
        loop = asyncio.get_running_loop()
        with open_client() as client:
            begun = loop.time()
            found = await ModelLists(ListAsker(client), loop.time, EmptyShelf()).of(gateway)
            return found, loop.time() - begun

    return asyncio.run(ask())


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(body, id=f"catalog:F-21-{number}")
        for number, body in enumerate((b"{}", b'{"data":null}', b"[]", b"<!doctype html><html></html>"))
    ],
)
def test_what_is_no_list(server: ListServer, body: bytes) -> None:
    server.answer = 200, body
    found, _ = listed(fastrouter_at(server))
    assert (found.models, found.state) == ({}, State.UNREACHABLE)


@pytest.mark.parametrize("status", [500, 403, 302], ids="catalog:F-22-{}".format)
def test_another_status(server: ListServer, status: int) -> None:
    server.answer = status, b'{"data":[{"id":"a/b"}]}'
    server.headers = {"Location": f"{server.url}/elsewhere"}
    found, _ = listed(fastrouter_at(server))
    assert (found.models, found.state) == ({}, State.UNREACHABLE)
    assert [asked.path for asked in server.asked] == ["/api/v1/models"]


SCALE = 20  # the ten seconds of the page are half a second here; the limit itself is looked at beside it


def silent(server: ListServer) -> None:
    server.silence_s = 11 / SCALE


def dripping(server: ListServer) -> None:
    server.drip_s = 1 / SCALE


@pytest.mark.parametrize("misbehave", [silent, dripping], ids=lambda how: f"catalog:F-23-{how.__name__}")
def test_ten_seconds_for_all_of_it(server: ListServer, misbehave: Callable[[ListServer], None]) -> None:
    server.lists("a/b", "c/d")
    misbehave(server)
    assert fastrouter_at(server).timeout_s == 10
    found, took_s = listed(fastrouter_at(server, timeout=10_000 // SCALE))
    assert (found.models, found.state) == ({}, State.UNREACHABLE)
    assert 10 / SCALE <= took_s < 10.5 / SCALE + 1  # a loaded machine may be late, not early


@pytest.mark.parametrize("mebibytes", [20, 64], ids="catalog:F-25-{}".format)
def test_an_answer_that_is_too_large(server: ListServer, mebibytes: int) -> None:
    server.answer = 200, b'{"data":[{"id":"a/b","description":"' + b"x" * mebibytes * MIB + b'"}]}'
    found, _ = listed(fastrouter_at(server))
    assert (found.models, found.state) == ({}, State.UNREACHABLE)
    assert server.sent_bytes < 40 * MIB  # what is over the limit is not waited for, let alone kept
