import asyncio

import pytest

from tollway.upstream.resolver import resolve


def test_addresses_are_themselves_and_names_are_looked_up() -> None:
    assert asyncio.run(resolve("192.0.2.7", 443)) == ("192.0.2.7",)
    assert set(asyncio.run(resolve("localhost", 443))) <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize("name", ["no-such-host.invalid", "a" * 300])
def test_what_has_no_address(name: str) -> None:
    with pytest.raises((OSError, UnicodeError)):
        asyncio.run(resolve(name, 443))
