import os
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from tollway.admin.upstream_changes import Checked, Sealer, changed, has_moved, headers_text, last_four
from tollway.admin.upstream_records import CustomUpstream, SealedUpstream
from tollway.errors import Problem
from tollway.identity.base_url import BaseUrl, read_base_url
from tollway.identity.extra_headers import read_extra_headers
from tollway.identity.outbound import OutboundRules
from tollway.identity.owned import Owner, OwnerKind
from tollway.identity.sealing import unseal
from unit.gateway.fakes import NOW, SEALING_KEYS

KEY, HEADERS = "sk-a-key-of-twenty-characters", {"X-Team": "blue"}
SEALER = Sealer(SEALING_KEYS, os.urandom)
LATER = NOW + timedelta(seconds=1)
RULES = OutboundRules(ports=frozenset({8443}), endpoints={("a.example", 80): True})


def url(text: str) -> BaseUrl:
    read = read_base_url(text, RULES)
    assert isinstance(read, BaseUrl)
    return read


def row(headers: dict[str, str] | None = HEADERS, **changes: Any) -> SealedUpstream:
    shown = CustomUpstream(
        "1",
        Owner(OwnerKind.USER, "ann"),
        "acme",
        "Acme",
        "https://a.example/v1",
        {},
        True,
        True,
        KEY[-4:],
        tuple(headers or ()),
        NOW,
        NOW,
        "ann",
    )
    shown = replace(shown, **changes)
    sealed = SEALER.seal(headers_text(headers), shown.headers_place) if headers else None
    return SealedUpstream(shown, SEALER.seal(KEY, shown.key_place), sealed)


def change(before: SealedUpstream, **changes: Any) -> SealedUpstream:
    after = changed(before, Checked(**changes), SEALER, LATER)
    assert isinstance(after, SealedUpstream)
    return after


def opened(one: SealedUpstream) -> tuple[str | None, object]:
    """Its secrets, as its own place opens them."""
    key = unseal(one.sealed_key, one.upstream.key_place, SEALING_KEYS) if one.sealed_key else None
    text = unseal(one.sealed_headers, one.upstream.headers_place, SEALING_KEYS) if one.sealed_headers else None
    assert one.upstream.has_key is (key is not None)
    return key, read_extra_headers(text.encode()) if text else None


def test_what_is_not_named_stays() -> None:
    after = change(row(), display_name="New", model_metadata={"models": []}, base_url=url("https://a.example/v2"))
    assert after.upstream == replace(
        row().upstream,
        display_name="New",
        model_metadata={"models": []},
        base_url="https://a.example/v2",
        updated_at=LATER,
    )
    assert opened(after) == (KEY, HEADERS)


@pytest.mark.parametrize("address", ["https://b.example/v1", "https://a.example:8443/v1", "http://a.example/v1"])
def test_no_secret_goes_to_another_address(address: str) -> None:
    after = change(row(), base_url=url(address))
    assert opened(after) == (None, None)
    shown = after.upstream
    assert (shown.is_enabled, shown.last_four, shown.header_names) == (False, "", ())


def test_what_is_entered_anew_goes_along() -> None:
    elsewhere = url("https://b.example/v1")
    with_key = change(row(), base_url=elsewhere, api_key="sk-b")
    assert opened(with_key) == ("sk-b", None)  # the headers were for the old address
    assert (with_key.upstream.is_enabled, with_key.upstream.last_four) == (True, "")
    with_headers = change(row(), base_url=elsewhere, extra_headers={"X-B": "b"})
    assert opened(with_headers) == (None, {"X-B": "b"})
    assert not with_headers.upstream.is_enabled


def test_it_comes_on_again_when_its_key_is_entered() -> None:
    cleared = change(row(), base_url=url("https://b.example/v1"))
    assert change(cleared, api_key=KEY).upstream.is_enabled
    assert not change(cleared, api_key=KEY, is_enabled=False).upstream.is_enabled
    assert not change(row(is_enabled=False), api_key="sk-b").upstream.is_enabled
    refused = changed(cleared, Checked(is_enabled=True), SEALER, LATER)
    assert isinstance(refused, Problem)
    assert refused.shown == "is_enabled: the API key must be entered again"


@pytest.mark.parametrize(
    ("before", "after", "keeps"),
    [
        (HEADERS, None, True),
        (HEADERS, {"X-Team": "red"}, True),
        (None, {"X-Team": "red"}, True),
        ({"X-Api-Key": "1", "X-Team": "a"}, {"x-api-key": "1", "X-Team": "b"}, True),
        ({"X-Api-Key": "1"}, {"X-Api-Key": "2"}, False),
        ({"X-Api-Key": "1"}, None, False),
        (None, {"X-Access-Token": "1"}, False),
    ],
)
def test_a_header_that_carries_a_secret_takes_the_key_with_it(before: Any, after: Any, keeps: bool) -> None:
    result = change(row(before), extra_headers=after)
    assert opened(result) == (KEY if keeps else None, after)
    assert result.upstream.is_enabled is keeps
    assert opened(change(row(before), extra_headers=after, api_key="sk-b")) == ("sk-b", after)


def test_headers_that_do_not_open_count_as_others() -> None:
    broken = replace(row({"X-Api-Key": "1"}), sealed_headers={"version": 1})
    assert opened(change(broken, extra_headers={"X-Api-Key": "1"})) == (None, {"X-Api-Key": "1"})


def test_secrets_move_with_the_name_they_are_bound_to() -> None:
    renamed = change(row(), provider_id="beta")
    assert renamed.upstream.provider_id == "beta"
    assert opened(renamed) == (KEY, HEADERS)
    broken = change(replace(row(), sealed_key={"version": 1}), provider_id="beta")
    assert (broken.sealed_key, broken.upstream.is_enabled) == (None, False)


def test_only_the_end_of_a_long_key_is_shown() -> None:
    assert (last_four("x" * 15), last_four("x" * 12 + "wxyz")) == ("", "wxyz")
    assert KEY not in repr(row())
    assert KEY not in repr(Checked(api_key=KEY))
    assert "blue" not in repr(Checked(extra_headers=HEADERS))


ADDRESSES = st.sampled_from(
    [
        "https://a.example",
        "https://a.example/v1",
        "https://b.example/v1",
        "http://a.example/v1",
        "https://a.example:8443",
    ]
)


@given(ADDRESSES, ADDRESSES, st.booleans(), st.booleans(), st.one_of(st.just(UNSET), st.booleans()))
def test_a_secret_is_at_another_address_only_if_it_was_entered_for_it(
    before: str, after: str, with_key: bool, with_headers: bool, enabled: Any
) -> None:
    key = "sk-new" if with_key else UNSET
    headers = {"X-New": "1"} if with_headers else UNSET
    order = Checked(base_url=url(after), api_key=key, extra_headers=headers, is_enabled=enabled)
    result = changed(row(base_url=before), order, SEALER, LATER)
    if isinstance(result, Problem):
        assert enabled is True
        return
    kept_key, kept_headers = opened(result)
    if has_moved(before, after):
        assert kept_key in (None, "sk-new")
        assert kept_headers in (None, {"X-New": "1"})
    assert kept_key is not None or not result.upstream.is_enabled
