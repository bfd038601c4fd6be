import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.wire.chunks import lone_chunk, whole_chunks

# Not one chunk, or not written as plainly as it could be.
DOUBTFUL = (
    b"+3\r\nabc\r\n", b" 3\r\nabc\r\n", b"0x3\r\nabc\r\n", b"3_0\r\nabc\r\n", b"3\nabc\r\n", b"3\r\nabcd\r\n",
    b"3\r\nabc\n\n", b"\r\n", b"00000003\r\nabc\r\n",
)  # fmt: skip
REST = (b"", b"3", b"3\r", b"3\r\n", b"3\r\nab", b"3\r\nabc", b"3\r\nabc\r", b"0\r\n\r\n", b"3;x\r\nabc\r\n")


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=5), st.sampled_from(REST))
def test_whole_ones_are_joined_and_the_rest_comes_back(bodies: list[bytes], rest: bytes) -> None:
    data = b"".join(b"%x\r\n%b\r\n" % (len(body), body) for body in bodies)
    assert whole_chunks(data + rest) == (b"".join(bodies), rest)


@given(st.integers(1, 300) | st.sampled_from([4_095, 4_096, 65_535, 65_536, 1 << 20]), st.sampled_from([b"%x", b"%X"]))
def test_one_chunk_is_recognised_whatever_its_length(size: int, spelling: bytes) -> None:
    head = spelling % size + b"\r\n"
    assert lone_chunk(head + b"a" * size + b"\r\n") == len(head)


@given(st.binary(min_size=1, max_size=300), st.sampled_from([b"%x", b"%X"]), st.binary(max_size=3), st.integers(0, 310))
def test_nothing_else_passes_for_one(body: bytes, spelling: bytes, more: bytes, cut: int) -> None:
    data = spelling % len(body) + b"\r\n" + body + b"\r\n"
    assert lone_chunk((data + more)[:cut]) in ((0, lone_chunk(data)) if (data + more)[:cut] == data else (0,))
    assert lone_chunk(data + data) == 0


@pytest.mark.parametrize(
    "data", [*DOUBTFUL, b"", b"0\r\n\r\n", b"03\r\nabc\r\n", b"3;x\r\nabc\r\n", b"3\r\nabc\r\n0\r\n\r\n"]
)
def test_what_may_not_be_passed_on(data: bytes) -> None:
    assert lone_chunk(data) == 0


@pytest.mark.parametrize("data", DOUBTFUL)
def test_what_is_not_plainly_written_is_left_to_the_parser(data: bytes) -> None:
    assert whole_chunks(data) == (b"", data)
