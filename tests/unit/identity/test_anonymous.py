import hmac
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.identity.anonymous import anonymous_caller, anonymous_id

ADDRESSES = st.ip_addresses().map(str)


def test_somebody_without_anything() -> None:
    caller = anonymous_caller(b"key", "203.0.113.9")
    assert caller.is_anonymous
    assert (caller.organization_id, caller.key_id, caller.bot_id, caller.email) == (None, None, None, "")


def test_a_key_is_needed() -> None:
    with pytest.raises(ValueError, match="empty"):
        anonymous_id(b"", "203.0.113.9")


@given(st.binary(min_size=1, max_size=64), ADDRESSES)
def test_it_is_the_beginning_of_the_mac_and_never_holds_the_address(key: bytes, address: str) -> None:
    found = anonymous_id(key, address)
    assert found == f"anon:{hmac.digest(key, address.encode(), sha256).hex()[:32]}"
    assert len(found) == 37
    assert address not in found or len(address) < 5


@given(ADDRESSES, ADDRESSES)
def test_one_address_is_one_caller(one: str, other: str) -> None:
    assert (anonymous_id(b"key", one) == anonymous_id(b"key", other)) is (one == other)
    assert anonymous_id(b"key", one) != anonymous_id(b"other key", one)
