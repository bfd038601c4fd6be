import gzip
import zlib
from collections.abc import Iterable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.upstream.decoding import RATIO_MAX, STEP_BYTES, CodingError, Decoder

MOST = 1 << 20


def decode(pieces: Iterable[bytes], coding: bytes = b"gzip", bytes_max: int = MOST) -> list[bytes]:
    decoder = Decoder(coding, bytes_max)
    found = [part for piece in pieces for part in decoder.feed(piece)]
    decoder.finish()
    return found


@given(
    st.binary(max_size=5_000),
    st.lists(st.integers(1, 50), max_size=20),
    st.sampled_from([b"gzip", b" X-GZIP ", b"deflate"]),
)
def test_how_the_bytes_were_split_changes_nothing(data: bytes, cuts: list[int], coding: bytes) -> None:
    packed = zlib.compress(data) if coding == b"deflate" else gzip.compress(data)
    pieces, at = [], 0
    for cut in cuts:
        pieces.append(packed[at : at + cut])
        at += cut
    assert b"".join(decode([*pieces, packed[at:]], coding)) == data


def test_members_follow_one_another() -> None:
    packed = gzip.compress(b"one ") + gzip.compress(b"two")
    assert b"".join(decode([packed])) == b"one two"
    assert b"".join(decode(bytes([byte]) for byte in packed)) == b"one two"


@pytest.mark.parametrize("coding", [b"br", b"zstd", b"gzip, gzip", b"compress", b"\xff"])
def test_other_codings_are_refused(coding: bytes) -> None:
    with pytest.raises(CodingError, match="unknown"):
        Decoder(coding, MOST)


PACKED = gzip.compress(b"a", mtime=0)


@pytest.mark.parametrize("data", [b"plain text", PACKED[:-8] + b"\0" * 8, PACKED + b"trailing"])
def test_what_is_not_so_coded_is_refused(data: bytes) -> None:
    with pytest.raises(CodingError):
        decode([data])


@given(st.integers(0, len(gzip.compress(b"hello")) - 1))
def test_an_end_that_is_missing_is_noticed(kept: int) -> None:
    with pytest.raises(CodingError, match="incomplete"):
        decode([gzip.compress(b"hello")[:kept]])


def test_output_comes_in_small_steps() -> None:
    pieces = decode([gzip.compress(Random(1).randbytes(300_000))])
    assert max(map(len, pieces)) <= STEP_BYTES
    assert sum(map(len, pieces)) == 300_000


def test_a_bomb_is_stopped_by_its_ratio() -> None:
    bomb = gzip.compress(b"\0" * (MOST * 20))
    decoder = Decoder(b"gzip", MOST * 100)
    sizes: list[int] = []
    with pytest.raises(CodingError, match="too large"):
        sizes.extend(len(piece) for piece in decoder.feed(bomb))
    assert sum(sizes) <= STEP_BYTES + RATIO_MAX * len(bomb)


def test_a_bomb_is_stopped_by_its_size() -> None:
    with pytest.raises(CodingError, match="too large"):
        decode([gzip.compress(bytes(range(256)) * 1_000)], bytes_max=100_000)


def test_what_decodes_to_nothing_is_bounded_as_well() -> None:
    empty = gzip.compress(b"") * 1_000
    with pytest.raises(CodingError, match="too large"):
        decode([empty] * 100, bytes_max=len(empty) * 50)
