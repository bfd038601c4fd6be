"""Which route of their own callers have."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.catalog.preset import Preset
from tollway.errors import Code
from tollway.identity.outbound import OutboundRules
from tollway.identity.owned import Owned, Owner, OwnerKind, StoredKey, StoredLlm, StoredUpstream
from tollway.identity.sealing import seal
from tollway.ids import random_bytes
from tollway.providers.provider import MESSAGES, RESPONSES
from tollway.routing.own_keys import KeyCandidates
from tollway.routing.precedence import OwnRoute, Precedence, Rule, Unusable
from tollway.wire.dialects.parameters import ModelOptions
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


# custom LLMs

PREFIXED = Precedence(SEALING_KEYS, OutboundRules(), takes_custom_upstreams=True, llm_prefix="in/")


def llm(public_id: str = "in/gpt", vendor: str = "openai", url: str = "http://10.0.0.1/v1", **changes: Any) -> Owned:
    options = ModelOptions(public_id, "gpt-x", changes.get("most", 0), changes.get("context", 0))
    bare = StoredLlm(vendor, url, {}, options)
    sealed = changes.get("sealed", seal("sk-fake", bare.place, SEALING_KEYS, random_bytes))
    return Owned(llms={public_id: StoredLlm(vendor, url, sealed, options, changes.get("is_guarded", False))})


@pytest.mark.parametrize(
    ("vendor", "dialect", "path", "line"),
    [
        ("anthropic", MESSAGES, b"POST /v1/messages", b"\r\nx-api-key: sk-fake\r\n"),
        ("openai", RESPONSES, b"POST /v1/responses", b"\r\nAuthorization: Bearer sk-fake\r\n"),
    ],
)
def test_a_model_that_the_organization_was_given(vendor: str, dialect: str, path: bytes, line: bytes) -> None:
    route = PREFIXED.find(llm(vendor=vendor), " IN/gpt ")
    assert isinstance(route, OwnRoute)
    assert route.upstream
    assert route.model
    assert (route.rule, route.is_byok, route.bypasses_access_check) == (Rule.CUSTOM_LLM, False, True)
    before, after = route.upstream.head
    assert (route.upstream.provider.dialect, before) == (dialect, path)
    assert line in after
    assert after.count(b"sk-fake") == 1
    assert not route.upstream.origin.is_guarded  # the operator says where it is
    assert not route.upstream.takes_query
    assert (route.model.id, route.model.offers[0].upstream_model, route.upstream.id) == ("in/gpt", "gpt-x", "custom")


def test_where_an_administrator_says_a_model_is_each_connection_is_looked_at() -> None:
    route = PREFIXED.find(llm(is_guarded=True), "in/gpt")
    assert isinstance(route, OwnRoute)
    assert route.upstream
    assert route.upstream.origin.is_guarded
    assert route.model.offers[0].price.is_free


def test_the_rows_bounds_are_the_models() -> None:
    route = PREFIXED.find(llm(most=7, context=9), "in/gpt")
    assert isinstance(route, OwnRoute)
    assert route.model
    assert (route.model.completion_tokens_max, route.model.context_length) == (7, 9)


def test_only_ids_with_the_prefix_are_custom_llms() -> None:
    assert PREFIXED.find(llm("out/gpt"), "out/gpt") is None
    assert isinstance(ALL.find(llm("out/gpt"), "out/gpt"), OwnRoute)
    assert PREFIXED.find(llm(), "in/other") is None


def test_what_the_organization_brings_along_comes_first() -> None:
    given = llm("vendor/name")
    theirs = Owned((key("bedrock", AWS),), {}, given.llms)
    route = KEYED.find(theirs, "vendor/name")
    assert isinstance(route, OwnRoute)
    assert route.rule is Rule.OWN_KEYS
    without = KEYED.find(Owned((key("google"),), {}, given.llms), "vendor/name")
    assert isinstance(without, OwnRoute)
    assert without.rule is Rule.CUSTOM_LLM


@pytest.mark.parametrize(
    ("owned_", "code"),
    [
        (llm(vendor="xai"), Code.INTERNAL_ERROR),
        (llm(url="nowhere"), Code.INTERNAL_ERROR),
        (llm(sealed={"version": 1}), Code.CREDENTIAL_UNAVAILABLE),
        (llm(sealed=llm("in/other").llms["in/other"].sealed_key), Code.CREDENTIAL_UNAVAILABLE),
    ],
)
def test_a_model_that_cannot_be_used_is_nobody_elses_to_serve(owned_: Owned, code: Code) -> None:
    route = PREFIXED.find(owned_, "in/gpt")
    assert isinstance(route, Unusable)
    assert (route.rule, route.provider_id, route.code) == (Rule.CUSTOM_LLM, "in/gpt", code)
    assert "sk-fake" not in route.reason
