"""Vectors K-01 to K-09 and K-25 of catalog-and-clients G.2: whose key is used, for lists and requests alike."""

from collections.abc import Mapping
from typing import Any

import pytest

from tollway.client.configuration import ClientConfig, Layer, Rank, read_config
from tollway.client.credentials import ApiCredential, Credential, Credentials, OauthCredential
from tollway.client.endpoint import endpoint_of
from tollway.client.gateways import Gateway, known_gateways
from tollway.providers.registry import load_providers

RECORDS = load_providers()
NOW_MS = 1_795_000_000_000
FAR = NOW_MS + 1_000


def config_of(tree: Mapping[str, Any], environ: Mapping[str, str]) -> ClientConfig:
    return read_config([Layer(Rank.INLINE, "TOLLWAY_CONFIG_CONTENT", tree)], environ, lambda path, _: path)


def fastrouter(cfg: Mapping[str, Any], store: Credential | None, environ: Mapping[str, str]) -> Gateway:
    tree = {"provider": {"fastrouter": cfg}} if cfg else {}
    stored = Credentials({"fastrouter": store} if store else {})
    return known_gateways(RECORDS, config_of(tree, environ), stored, environ, NOW_MS)["fastrouter"]


def key(text: str) -> Mapping[str, Any]:
    return {"options": {"apiKey": text}}


STORE = ApiCredential(key="B")
OAUTH = OauthCredential(refresh="r", access="B", expires=FAR)
ENV = {"FASTROUTER_API_KEY": "C"}
CASES = {
    "K-01": (key("A"), STORE, ENV, "A"),
    "K-02": ({}, STORE, ENV, "B"),
    "K-03": ({}, None, ENV, "C"),
    "K-05": (key("  "), STORE, {}, "B"),
    "K-06": ({"env": ["MY_KEY"]}, None, {"MY_KEY": "D", **ENV}, "D"),
    "K-07": ({"env": ["FASTROUTER_API_KEY"]}, None, {}, None),
    "K-08": (key("{env:SECRET}"), STORE, {"SECRET": "E"}, "E"),
    "K-08 unset": (key("{env:SECRET}"), STORE, {}, "B"),
    "K-09": ({}, OAUTH, ENV, "C"),
}


@pytest.mark.parametrize(
    ("cfg", "store", "environ", "expected"),
    [pytest.param(*case, id=f"catalog:{name.replace(' ', '-')}") for name, case in CASES.items()],
)
def test_which_key_counts(
    cfg: Mapping[str, Any], store: Credential | None, environ: Mapping[str, str], expected: str | None
) -> None:
    found = fastrouter(cfg, store, environ).key
    assert (found and found.text) == expected


@pytest.mark.parametrize("case", [pytest.param(case, id=f"catalog:K-25-{name[:4]}") for name, case in CASES.items()])
def test_lists_and_requests_go_by_the_same_key(case: tuple[Any, Any, Any, str | None]) -> None:
    """Whether the list may be asked for, and what a chat request carries, is one decision."""
    *given, expected = case
    gateway = fastrouter(*given)
    chat = endpoint_of(gateway).upstream.head[1]
    assert gateway.may_fetch(is_named=False) is (expected is not None)
    assert (b"authorization" in chat) is (expected is not None)
    assert expected is None or f"authorization: Bearer {expected}\r\n".encode() in chat


@pytest.mark.parametrize("name", [pytest.param(name, id=f"catalog:K-24-{name}") for name in ("K-01", "K-02", "K-03")])
def test_the_list_is_asked_for_without_the_key_and_chat_with_it(name: str) -> None:
    *given, expected = CASES[name]
    endpoint = endpoint_of(fastrouter(*given))
    assert b"uthorization" not in endpoint.list_head
    assert endpoint.list_head.startswith(b"GET /api/v1/models HTTP/1.1\r\nhost: go.fastrouter.ai\r\n")
    assert endpoint.upstream.head[0] == b"POST /api/v1/chat/completions"
    assert f"\r\nauthorization: Bearer {expected}\r\n".encode() in endpoint.upstream.head[1]
