"""What owners bring along: where its secrets lie."""

from tollway.identity.owned import Owned, Owner, OwnerKind, StoredKey, StoredUpstream
from tollway.identity.sealing import Place

ANN, ACME = Owner(OwnerKind.USER, "ann"), Owner(OwnerKind.ORGANIZATION, "acme")


def test_each_secret_has_a_place_of_its_own() -> None:
    key = StoredKey("1", ANN, "openai", {})
    upstream = StoredUpstream("1", ACME, "openai", "https://x.example", {}, None, {})
    assert key.place == Place("byok_keys", "sealed_key", "1", "user", "ann", "openai")
    assert upstream.key_place == Place("custom_upstreams", "sealed_key", "1", "organization", "acme", "openai")
    assert upstream.headers_place == Place("custom_upstreams", "sealed_headers", "1", "organization", "acme", "openai")


def test_who_owns_nothing_is_false() -> None:
    assert not Owned()
    assert Owned((StoredKey("1", ANN, "openai", {}),))
