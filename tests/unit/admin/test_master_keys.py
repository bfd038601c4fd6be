"""Missing, wrong, damaged: three things that a stored secret which does not open may mean."""

import asyncio
from base64 import b64decode, b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.admin import master_keys
from tollway.admin.master_keys import (
    REFERENCE,
    KnownKey,
    MasterKeyUse,
    Standing,
    StoredSecret,
    abandon_master_key,
    list_master_keys,
    prove_master_keys,
    refusal_of,
)
from tollway.errors import Code, Problem
from tollway.identity.sealing import Place, Sealed, SealingKeys, seal
from tollway.ids import random_bytes
from unit.admin.sealed import AFTER, BEFORE, NEW, NOW, OLD, FakeSecrets, filled, taken_over

OLD_ALONE = SealingKeys({"old": OLD}, "old")
NEW_ALONE = SealingKeys({"new": NEW}, "new")
WRONG = SealingKeys({"old": NEW}, "old")


def standings(store: FakeSecrets, keys: SealingKeys) -> dict[str, str]:
    return {use.key_id: use.standing.value for use in asyncio.run(list_master_keys(store, keys))}


def prove(store: FakeSecrets, keys: SealingKeys) -> str | None:
    """As a start does; what it says."""
    return refusal_of(asyncio.run(prove_master_keys(store, keys, random_bytes, NOW)))


def served(count: int = 3) -> FakeSecrets:
    """A gateway has served with the old key."""
    store = filled(count)
    assert prove(store, OLD_ALONE) is None
    return store


def damage(store: FakeSecrets, change: dict[str, Any]) -> None:
    """One secret of them."""
    place, one = next(iter(store.stored.items()))
    store.stored[place] = StoredSecret(place, {**one.sealed, **change})


def test_all_is_well() -> None:
    store = served()
    assert asyncio.run(list_master_keys(store, AFTER)) == (
        MasterKeyUse("new", 0, True, True, False, Standing.WELL),
        MasterKeyUse("old", 6, True, False, True, Standing.WELL),
        MasterKeyUse(REFERENCE, 0, True, False, False, Standing.WELL),
    )


def test_a_key_that_is_not_here_is_named() -> None:
    assert prove(served(), NEW_ALONE) == "master_keys: old is missing, and 6 stored secrets need it"


def test_another_key_of_the_same_id_is_named() -> None:
    store = served()
    before = dict(store.known)
    assert prove(store, WRONG) == "master_keys: old is another key than before, and 6 stored secrets need it"
    assert store.known == before, "the wrong key put its check value in the place of the right one's"


def test_a_wrong_key_is_found_without_a_check_value() -> None:
    """The database is older than check values."""
    store = filled()
    store.known["old"] = KnownKey(None, False)
    assert standings(store, WRONG) == {"old": "wrong"}
    assert prove(store, OLD_ALONE) is None
    assert store.known["old"].check


def test_a_start_that_finds_check_values_opens_no_secret() -> None:
    store = served()
    store.tried.clear()
    assert prove(store, OLD_ALONE) is None
    assert store.tried == []


def test_a_check_value_that_is_damaged_is_made_anew_of_a_key_that_opens() -> None:
    store = served()
    good = store.known["old"].check
    store.known["old"] = KnownKey({**(good or {}), "wrapped_key": "AAAA"}, False)
    assert prove(store, OLD_ALONE) is None
    store.tried.clear()
    assert prove(store, OLD_ALONE) is None
    assert store.tried == []


def test_what_nothing_needs_may_change() -> None:
    """Nothing was ever sealed under it, so no harm is done."""
    store = FakeSecrets()
    assert prove(store, OLD_ALONE) is None
    assert prove(store, WRONG) is None
    assert prove(store, NEW_ALONE) is None


def test_only_keys_that_seal_are_known() -> None:
    """One that is readable for a change to come has sealed nothing yet."""
    store = FakeSecrets()
    assert prove(store, BEFORE) is None
    assert set(store.known) == {"old"}


@given(st.data())
def test_one_damaged_secret_is_no_missing_or_wrong_key(data: st.DataObject) -> None:
    """Whichever byte of it is another one: guarantees §8 says that only its owner notices."""
    store = served(1)
    place, one = next(iter(store.stored.items()))
    name = data.draw(st.sampled_from(["key_id", "wrapped_key", "sealed"]))
    text = bytearray(one.sealed[name].encode() if name == "key_id" else b64decode(one.sealed[name]))
    at = data.draw(st.integers(0, len(text) - 1))
    text[at] ^= data.draw(st.integers(1, 255))
    spelled = text.decode("latin-1") if name == "key_id" else b64encode(text).decode()
    store.put(place, {**one.sealed, name: spelled})
    assert prove(store, OLD_ALONE) is None


@pytest.mark.parametrize("sealed", [{}, {"version": 1}, {"version": 2, "key_id": ""}, {"key_id": "x y"}])
def test_what_is_no_sealed_secret_is_damage(sealed: dict[str, Any]) -> None:
    class Uses(FakeSecrets):
        async def uses(self) -> master_keys.StoredUses:
            return master_keys.StoredUses({str(sealed.get("key_id", "")): 1}, self.known)

    assert standings(Uses(), OLD_ALONE) == {"old": "well", "": "unknown"}


def test_the_only_secret_is_damaged() -> None:
    store = FakeSecrets()
    assert prove(store, OLD_ALONE) is None
    place = Place("a", "key", "1", "user", "ann", "openai")
    store.put(place, {**seal("a", place, OLD_ALONE, random_bytes), "wrapped_key": "AAAA"})
    assert prove(store, OLD_ALONE) is None
    assert prove(store, WRONG) is not None


def test_what_was_taken_over_needs_its_key() -> None:
    missing = "byok_encryption_key: is missing, and 1 stored secret needs it"
    assert prove(taken_over(), OLD_ALONE) == missing
    assert prove(taken_over(), BEFORE) is None
    other = prove(taken_over(), SealingKeys({"old": OLD}, "old", NEW))
    assert other == "byok_encryption_key: is another key than before, and 1 stored secret needs it"


def test_several_keys_are_named_in_one_line() -> None:
    store = served()
    store.stored |= taken_over().stored
    line = prove(store, NEW_ALONE)
    assert line
    assert line.split("; ") == [
        "byok_encryption_key: is missing, and 1 stored secret needs it",
        "master_keys: old is missing, and 6 stored secrets need it",
    ]


def test_a_key_that_is_lost_is_given_up() -> None:
    """And if it is found again its secrets open, as if it had never been away."""
    store = served()
    assert asyncio.run(abandon_master_key(store, NEW_ALONE, "old", NOW)) is None
    assert standings(store, NEW_ALONE)["old"] == "abandoned"
    assert prove(store, NEW_ALONE) is None
    assert prove(store, AFTER) is None
    assert not store.known["old"].is_abandoned
    assert prove(store, NEW_ALONE) is not None


def test_a_key_that_was_given_up_does_not_come_back_as_another() -> None:
    store = served()
    asyncio.run(abandon_master_key(store, NEW_ALONE, "old", NOW))
    assert prove(store, WRONG) is not None


def test_only_what_is_lost_is_given_up() -> None:
    for keys, key_id, code in (
        (OLD_ALONE, "old", Code.CONFLICT),
        (BEFORE, REFERENCE, Code.CONFLICT),
        (OLD_ALONE, "newest", Code.NOT_FOUND),
    ):
        problem = asyncio.run(abandon_master_key(served(), keys, key_id, NOW))
        assert isinstance(problem, Problem)
        assert problem.code is code


def test_nothing_of_a_key_is_in_what_is_kept() -> None:
    store = served()
    (known,) = store.known.values()
    kept: Sealed | None = known.check
    for spelling in (OLD.hex(), b64encode(OLD).decode()):
        assert spelling not in str(kept)
