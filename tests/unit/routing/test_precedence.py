"""Which route of their own callers have."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.identity.outbound import OutboundRules
from tollway.identity.owned import Owned, Owner, OwnerKind, StoredUpstream
from tollway.identity.sealing import seal
from tollway.ids import random_bytes
from tollway.routing.precedence import OwnRoute, Precedence, Rule, Unusable
from unit.gateway.fakes import SEALING_KEYS

ANN = Owner(OwnerKind.USER, "ann")
ALL = Precedence(SEALING_KEYS, OutboundRules(), takes_custom_upstreams=True)


def row(url: str = "https://llm.example.com/v1", headers: str | None = None, **changes: Any) -> StoredUpstream:
    bare = StoredUpstream("row-1", ANN, "acme", url, {}, None, {})
    values = {
        "models": {},
        "sealed_key": seal("sk-fake", bare.key_place, SEALING_KEYS, random_bytes),
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
