"""Secrets: sealed, opened, moved, damaged, rewrapped."""

import random
from base64 import b64decode, b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from tollway.identity.sealing import Place, SealError, SealingKeys, master_key_id, rewrap, seal, unseal

PLACE = Place("byok_keys", "sealed_key", "row-1", "user", "ann", "anthropic")
OLD, NEW = bytes(range(32)), bytes(range(1, 33))
KEYS = SealingKeys({"old": OLD}, "old", OLD)
BOTH = SealingKeys({"new": NEW, "old": OLD}, "new")
REFERENCE = {"iv": "AAECAwQFBgcICQoL", "data": "NGn7b6CWtja8c6S/hN9PVbrm", "authTag": "4E7sFunw4xVAPKdVyIYrsA=="}


def fresh(seed: int = 1) -> Any:
    return random.Random(seed).randbytes


@given(st.text(), st.integers())
def test_what_is_sealed_opens_at_its_place(text: str, seed: int) -> None:
    assert unseal(seal(text, PLACE, KEYS, fresh(seed)), PLACE, KEYS) == text


@pytest.mark.parametrize("part", structs.fields(Place), ids=lambda field: field.name)
def test_moved_to_another_row_owner_or_provider_it_does_not_open(part: structs.FieldInfo) -> None:
    stored = seal("sk-fake", PLACE, KEYS, fresh())
    with pytest.raises(SealError):
        unseal(stored, structs.replace(PLACE, **{part.name: "other"}), KEYS)


def test_parts_of_a_place_do_not_run_together() -> None:
    one = Place("a", "bc", "d", "e", "f", "g")
    assert one.bytes_ != Place("ab", "c", "d", "e", "f", "g").bytes_


@pytest.mark.parametrize("name", ["wrapped_key", "sealed"])
def test_no_byte_can_be_changed(name: str) -> None:
    stored = seal("sk-fake-1234", PLACE, KEYS, fresh())
    good = b64decode(stored[name])
    for at in range(len(good)):
        bad = good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]
        with pytest.raises(SealError):
            unseal({**stored, name: b64encode(bad).decode()}, PLACE, KEYS)


@pytest.mark.parametrize("name", ["iv", "data", "authTag"])
def test_no_byte_of_the_references_form_either(name: str) -> None:
    good = b64decode(REFERENCE[name])
    for at in range(len(good)):
        bad = good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]
        with pytest.raises(SealError):
            unseal({**REFERENCE, name: b64encode(bad).decode()}, PLACE, KEYS)


@pytest.mark.parametrize(
    "stored",
    [
        None,
        "text",
        {},
        {"version": 2},
        {"version": 1},
        {"version": 1, "key_id": "k9", "wrapped_key": "", "sealed": ""},
        {"version": 1, "key_id": ["old"], "wrapped_key": "", "sealed": ""},
        {"version": 1, "key_id": "old", "wrapped_key": "!", "sealed": ""},
        {"version": 1, "key_id": "old", "wrapped_key": "", "sealed": ""},
        {"iv": "AA==", "data": "", "authTag": ""},
        {"iv": 5, "data": None, "authTag": []},
    ],
)
def test_nonsense_is_a_seal_error(stored: object) -> None:
    with pytest.raises(SealError):
        unseal(stored, PLACE, KEYS)


def test_rewrapping_changes_the_wrapping_alone() -> None:
    stored = seal("sk-fake", PLACE, KEYS, fresh())
    again = rewrap(stored, PLACE, BOTH, fresh(2))
    assert (master_key_id(stored), master_key_id(again)) == ("old", "new")
    assert again["sealed"] == stored["sealed"]
    assert unseal(again, PLACE, SealingKeys({"new": NEW}, "new")) == "sk-fake"


def test_rewrapping_what_was_taken_over_makes_an_envelope_of_it() -> None:
    again = rewrap(REFERENCE, PLACE, KEYS, fresh())
    assert (master_key_id(REFERENCE), master_key_id(again)) == ("", "old")
    assert unseal(again, PLACE, SealingKeys({"old": OLD}, "old")) == "sk-test-1234567890"


def test_without_the_references_key_its_form_does_not_open() -> None:
    with pytest.raises(SealError, match="not configured"):
        unseal(REFERENCE, PLACE, BOTH)


def test_what_opens_and_is_no_text_is_refused() -> None:

    nonce = bytes(12)
    closed = AESGCM(OLD).encrypt(nonce, b"\xff\xfe", None)
    parts = {"iv": nonce, "data": closed[:-16], "authTag": closed[-16:]}
    with pytest.raises(SealError, match="no text"):
        unseal({name: b64encode(part).decode() for name, part in parts.items()}, PLACE, KEYS)


@pytest.mark.parametrize("keys", [({"a": OLD}, "b", None), ({"a": b"short"}, "a", None), ({"a": OLD}, "a", b"short")])
def test_keys_are_whole_and_the_active_one_is_among_them(keys: tuple[Any, str, bytes | None]) -> None:
    with pytest.raises(ValueError, match="key"):
        SealingKeys(*keys)


def test_keys_are_not_shown() -> None:
    assert repr(OLD) not in repr(KEYS)
