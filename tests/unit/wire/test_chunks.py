import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.wire.chunks import whole_chunks

REST = (b"", b"3", b"3\r", b"3\r\n", b"3\r\nab", b"3\r\nabc", b"3\r\nabc\r", b"0\r\n\r\n", b"3;x\r\nabc\r\n")


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=5), st.sampled_from(REST))
def test_whole_ones_are_joined_and_the_rest_comes_back(bodies: list[bytes], rest: bytes) -> None:
    data = b"".join(b"%x\r\n%b\r\n" % (len(body), body) for body in bodies)
    assert whole_chunks(data + rest) == (b"".join(bodies), rest)


@pytest.mark.parametrize(
    "data",
    [b"+3\r\nabc\r\n", b" 3\r\nabc\r\n", b"0x3\r\nabc\r\n", b"3_0\r\nabc\r\n", b"3\nabc\r\n", b"3\r\nabcd\r\n",
     b"3\r\nabc\n\n", b"\r\n", b"00000003\r\nabc\r\n"],
)  # fmt: skip
def test_what_is_not_plainly_written_is_left_to_the_parser(data: bytes) -> None:
    assert whole_chunks(data) == (b"", data)
