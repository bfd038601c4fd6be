from base64 import b64decode
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tollway.catalog.preset import Identity
from tollway.providers import user_hashes
from tollway.providers.user_hashes import CUSTOM, KEPT_MAX, UserHashes, hash_payload

TEXT = st.text(max_size=8)


def hashes(secret: str = "s3cret", **identity: Any) -> UserHashes:
    return UserHashes(Identity(**identity), secret)


@given(TEXT, TEXT, TEXT)
def test_a_hash_is_32_bytes_whatever_it_is_made_of(salt: str, pepper: str, payload: str) -> None:
    assert len(b64decode(hash_payload(salt, pepper, payload), validate=True)) == 32


def test_every_user_upstream_and_deployment_has_its_own() -> None:
    one, other = hashes("one"), hashes("other")
    seen = [of.user(upstream, "", user) for of in (one, other) for upstream in ("a", "b") for user in ("u1", "u2")]
    assert len(set(seen)) == len(seen)


def test_the_presets_salt_and_peppers_go_before_the_secret() -> None:
    taken_over = hashes(hash_salt="salt", hash_peppers={"a": "pepper"})
    assert taken_over.user("a", "", "u") == hash_payload("salt", "pepper", "u")
    assert taken_over.user("b", "", "u") == hash_payload("salt", "b", "u")


def test_empty_ones_are_the_secret() -> None:
    assert hashes().user("a", "", "u") == hash_payload("s3cret", "a", "u")
    assert hashes(hash_salt="salt", hash_peppers={"a": ""}).user("a", "", "u") == hash_payload("salt", "s3cret", "u")


@given(TEXT, TEXT)
def test_custom_upstreams_are_told_apart_by_their_address_and_no_others(url: str, other: str) -> None:
    assume(url != other)
    made = hashes(hash_peppers={CUSTOM: "of no use"})
    assert made.user(CUSTOM, url, "u") == hash_payload("s3cret", url, "u")
    assert made.user(CUSTOM, url, "u") != made.user(CUSTOM, other, "u")
    assert made.user("a", url, "u") == made.user("a", other, "u")


def test_a_task_has_one_cache_key_which_is_not_the_user() -> None:
    made = hashes()
    assert made.prompt_cache_key("a", "", "u", "task") == hash_payload("s3cret", "a", "utask")
    assert made.prompt_cache_key("a", "", "u", "task") != made.user("a", "", "u")


def test_a_hash_is_made_once_while_it_is_in_use_and_only_so_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def counted(salt: str, pepper: str, payload: str) -> str:
        made.append(payload)
        return hash_payload(salt, pepper, payload)

    monkeypatch.setattr(user_hashes, "hash_payload", counted)
    one = hashes()
    for _ in range(3):
        one.user("a", "", "busy")
    assert made == ["busy"]
    for number in range(KEPT_MAX):
        one.user("a", "", str(number))
    one.user("a", "", "busy")
    assert made.count("busy") == 2
