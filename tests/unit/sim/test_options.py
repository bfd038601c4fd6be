"""Listen addresses."""

import pytest

from tollway.sim.options import parse_listen


@pytest.mark.parametrize(
    ("text", "address"),
    [("127.0.0.1:9900", ("127.0.0.1", 9900)), ("localhost:0", ("localhost", 0)), ("[::1]:80", ("::1", 80))],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert parse_listen(text) == address


@pytest.mark.parametrize("text", ["", "9900", ":9900", "host:", "host:x", "host:65536", "host:-1", "host:²"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError):
        parse_listen(text)
