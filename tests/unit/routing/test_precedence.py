"""Which route of their own callers have."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.catalog.preset import Preset
from tollway.errors import Code
from tollway.identity.outbound import OutboundRules
from tollway.identity.owned import Owned, Owner, OwnerKind, StoredKey, StoredUpstream
from tollway.identity.sealing import seal
from tollway.ids import random_bytes
from tollway.routing.own_keys import KeyCandidates
from tollway.routing.precedence import OwnRoute, Precedence, Rule, Unusable
from unit.gateway.fakes import SEALING_KEYS, upstream

UNOPENED = Code.CREDENTIAL_UNAVAILABLE
ANN = Owner(OwnerKind.USER, "ann")
ALL = Precedence(SEALING_KEYS, OutboundRules(), takes_custom_upstreams=True)


def row(
    url: str = "https://llm.example.com/v1", headers: str | None = None, secret: str = "sk-fake", **changes: Any
) -> StoredUpstream:
    bare = StoredUpstream("row-1", ANN, "acme", url, {}, None, {})
    values = {
        "models": {},
        "sealed_key": seal(secret, bare.key_place, SEALING_KEYS, random_bytes),
        "sealed_headers": seal(headers, bare.headers_place, SEALING_KEYS, random_bytes) if headers else None,
        **changes,
    }
    return StoredUpstream("row-1", ANN, "acme", url, values["sealed_key"], values["sealed_headers"], values["models"])


def owned(one: StoredUpstream) -> Owned:
    return Owned(upstreams={"acme": one})


def found(one: StoredUpstream, model: str = "acme/m1", precedence: Precedence = ALL) -> OwnRoute | Unusable | None:
    return precedence.find(owned(one), model)


def test_an_endpoint_of_ones_own_is_where_its_owner_says() -> None:
    route = found(row(headers='{"X-Tenant": "acme"}'))
    assert isinstance(route, OwnRoute)
    assert route.model
    assert route.upstream
    assert (route.rule, route.is_byok, route.bypasses_access_check) == (Rule.CUSTOM_UPSTREAM, True, True)
    before, after = route.upstream.head
    assert before == b"POST /v1/chat/completions"
    assert b"Host: llm.example.com\r\n" in after
    assert b"Authorization: Bearer sk-fake\r\n" in after
    assert after.endswith(b"X-Tenant: acme\r\n")
    assert b"Referer" not in after
    assert b"X-Title" not in after
    assert route.upstream.origin.is_guarded
    assert not route.upstream.takes_query


@given(st.text(max_size=20))
def test_only_a_name_of_both_parts_matches(model: str) -> None:
    provider, _, name = model.partition("/")
    assert (found(row(), model) is not None) == (provider.lower() == "acme" and name != "")


def test_switched_off_nothing_matches() -> None:
    off = Precedence(SEALING_KEYS, OutboundRules(), takes_custom_upstreams=False)
    assert found(row(), precedence=off) is None


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (row(sealed_key={"version": 1}), "master key"),
        (row(sealed_key=row(headers="{}").sealed_headers), "does not open"),
        (row(secret="sk-fake\r\nX: y"), "no header may have"),
        (row(secret="sk-fake-ü"), "no header may have"),
        (row(secret=""), "no header may have"),
        (row(headers='{"X": 1}'), "its headers"),
        (row(sealed_headers={}), "reference"),
        (row("http://llm.example.com/v1"), "its address"),
        (row("https://127.0.0.1/v1"), "its address"),
    ],
)
def test_a_row_that_cannot_be_used_is_nobody_elses_to_serve(one: StoredUpstream, why: str) -> None:
    route = found(one)
    assert isinstance(route, Unusable)
    assert (route.rule, route.provider_id) == (Rule.CUSTOM_UPSTREAM, "acme")
    assert why in route.reason or why == "reference"
    assert "sk-fake" not in route.reason


# keys

GATEWAY = upstream("second", takes_own_keys=True)
AWS = '{"accessKeyId":"A","secretAccessKey":"S","region":"us-east-1"}'
KEYED = Precedence(
    SEALING_KEYS,
    OutboundRules(),
    takes_custom_upstreams=True,
    candidates=KeyCandidates(Preset(), {"vendor/name": ("bedrock", "anthropic")}),
    gateway=GATEWAY,
)
LONELY = Precedence(
    SEALING_KEYS, OutboundRules(), takes_custom_upstreams=True, candidates=KeyCandidates(Preset(), {"a": ("openai",)})
)


def key(provider_id: str, text: str = "sk-fake", id_: str = "key-1") -> StoredKey:
    bare = StoredKey(id_, ANN, provider_id, {})
    return StoredKey(id_, ANN, provider_id, seal(text, bare.place, SEALING_KEYS, random_bytes))


def test_all_keys_of_candidates_in_order_of_creation() -> None:
    keys = (key("openai"), key("anthropic"), key("bedrock", AWS))
    route = KEYED.find(Owned(keys), "Vendor/NAME")
    assert isinstance(route, OwnRoute)
    assert (route.rule, route.is_byok, route.bypasses_access_check) == (Rule.OWN_KEYS, True, False)
    assert (route.model, route.upstream) == (None, GATEWAY)
    assert [one.provider_id for one in route.keys] == ["anthropic", "bedrock"]
    assert route.keys[0].secret == "sk-fake"
    assert "sk-fake" not in repr(route)


def test_an_endpoint_of_ones_own_comes_before_keys() -> None:
    both = Owned((key("anthropic"),), {"vendor": row()})
    route = KEYED.find(both, "vendor/name")
    assert isinstance(route, OwnRoute)
    assert route.rule is Rule.CUSTOM_UPSTREAM


def test_a_bare_name_is_the_model_of_the_catalog() -> None:
    keys = Owned((key("anthropic"),))
    assert KEYED.find(keys, "name") is None
    assert KEYED.find(keys, "name", lambda _: "vendor/name") is not None


@pytest.mark.parametrize(
    ("keys", "precedence", "model", "code", "why"),
    [
        ((key("anthropic"), key("bedrock", "sk-fake")), KEYED, "vendor/name", Code.OWN_KEY_INVALID, "AWS"),
        ((StoredKey("key-2", ANN, "anthropic", key("anthropic").sealed),), KEYED, "vendor/name", UNOPENED, "open"),
        ((StoredKey("1", ANN, "anthropic", {"iv": 1}),), KEYED, "vendor/name", UNOPENED, ""),
        ((key("openai"),), LONELY, "a", Code.SERVICE_UNAVAILABLE, "configured"),
    ],
    ids=["no credentials", "another row's", "damaged", "no gateway"],
)
def test_keys_that_cannot_be_used_are_nobody_elses_to_pay_for(
    keys: tuple[StoredKey, ...], precedence: Precedence, model: str, code: Code, why: str
) -> None:
    route = precedence.find(Owned(keys), model)
    assert isinstance(route, Unusable)
    assert (route.rule, route.code, route.provider_id) == (Rule.OWN_KEYS, code, keys[-1].provider_id)
    assert why in route.reason
    assert "sk-fake" not in route.reason


@given(st.text(max_size=20))
def test_no_candidate_no_key(model: str) -> None:
    """A key that could not even be opened is left alone."""
    broken = Owned((StoredKey("1", ANN, "anthropic", {}),))
    assert (KEYED.find(broken, model) is None) == (model.strip().lower() != "vendor/name")
