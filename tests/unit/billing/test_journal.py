"""The codec of the journal: whatever happened to the bytes, every record that is whole is read, and nothing crashes."""

import struct
import zlib
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.billing import journal
from tollway.billing.journal import PAYLOAD_BYTES_MAX, Entry, Record, RecordKind, Replay, Scan, Span, fold, frame, scan

OPEN, PROGRESS, CLOSE, RELEASE, ACK = RecordKind
MAGIC = frame(OPEN, "0" * 32, b"")[:4]
HEAD_BYTES = len(frame(OPEN, "0" * 32, b""))

ids = st.integers(0, 2**128 - 1).map("{:032x}".format)
few_ids = st.integers(0, 2).map("{:032x}".format)
# A payload is text of somebody's, so it is UTF-8 and cannot contain the magic (see below).
payloads = st.binary(max_size=40).filter(lambda payload: MAGIC[0] not in payload)
records = st.lists(st.builds(Record, st.sampled_from(RecordKind), ids, payloads), max_size=8)
histories = st.lists(st.builds(Record, st.sampled_from(RecordKind), few_ids, st.binary(max_size=2)), max_size=20)


def frames(written: list[Record]) -> list[bytes]:
    return [frame(record.kind, record.request_id, record.payload) for record in written]


def entry(number: int, **known: object) -> Entry:
    blank = {"open": None, "progress": None, "close": None, "released": False}
    return Entry(**{"request_id": f"{number:032x}", **blank, **known})


def record(kind: RecordKind, number: int, payload: bytes = b"") -> Record:
    return Record(kind, f"{number:032x}", payload)


# Bytes


@given(records)
def test_what_was_written_is_read(written: list[Record]) -> None:
    data = b"".join(frames(written))
    assert scan(data) == Scan(tuple(written), len(data), False, ())


@given(records, records)
def test_journals_can_be_joined(first: list[Record], second: list[Record]) -> None:
    joined = b"".join(frames(first)) + b"".join(frames(second))
    assert scan(joined).records == tuple(first + second)


@given(records)
def test_cut_at_any_byte_the_whole_records_before_it_remain(written: list[Record]) -> None:
    data = b"".join(frames(written))
    ends = [0, *accumulate(len(one) for one in frames(written))]
    for cut in range(len(data) + 1):
        whole = max(place for place, end in enumerate(ends) if end <= cut)
        found = scan(data[:cut])
        assert found.records == tuple(written[:whole])
        assert (found.end, found.is_torn, found.damaged) == (ends[whole], cut > ends[whole], ())


@given(records.filter(bool), st.data())
def test_a_changed_byte_costs_one_record_and_is_reported(written: list[Record], data: st.DataObject) -> None:
    parts = frames(written)
    victim = data.draw(st.integers(0, len(parts) - 1))
    place = data.draw(st.integers(0, len(parts[victim]) - 1))
    bad = bytearray(parts[victim])
    bad[place] ^= data.draw(st.integers(1, 255))
    start = sum(map(len, parts[:victim]))
    found = scan(b"".join([*parts[:victim], bytes(bad), *parts[victim + 1 :]]))
    assert found.records == tuple(written[:victim] + written[victim + 1 :])
    if victim == len(parts) - 1:
        assert (found.end, found.is_torn, found.damaged) == (start, True, ())
    else:
        assert found.damaged == (Span(start, start + len(bad)),)
        assert not found.is_torn


pieces = st.one_of(
    st.binary(max_size=30),
    st.just(MAGIC),
    st.builds(frame, st.sampled_from(RecordKind), ids, st.binary(max_size=30)),
    st.builds(
        lambda whole, size: whole[:size],
        st.builds(frame, st.just(OPEN), ids, st.binary(max_size=9)),
        st.integers(0, 41),
    ),
)


@given(st.lists(pieces, max_size=12).map(b"".join))
def test_whatever_the_bytes_are_each_is_accounted_for(data: bytes) -> None:
    found = scan(data)
    good = sum(len(one) for one in frames(list(found.records)))
    damaged = sum(span.end - span.start for span in found.damaged)
    assert all(span.start < span.end for span in found.damaged)
    assert good + damaged == found.end
    assert found.is_torn == (found.end < len(data))
    assert all(one in data for one in frames(list(found.records)))


def test_several_damaged_middles_are_told_apart() -> None:
    good = [frame(OPEN, f"{number:032x}", b"x" * number) for number in range(3)]
    data = b"junk" + good[0] + MAGIC + b"more" + good[1] + good[2][:-1] + b"y" + good[0]
    found = scan(data)
    assert found.records == (record(OPEN, 0), record(OPEN, 1, b"x"), record(OPEN, 0))
    spans = [data[span.start : span.end] for span in found.damaged]
    assert spans == [b"junk", MAGIC + b"more", good[2][:-1] + b"y"]


def test_a_record_of_an_unknown_kind_is_set_aside_wherever_it_stands() -> None:
    """A later version may have written it: it is not a torn write, and must not be thrown away as one."""
    raw_id = bytes(16)
    word = 5 << 8 | 99
    head_sum = zlib.crc32(raw_id, word)
    unknown = struct.pack("<4sIII16s", MAGIC, word, head_sum, zlib.crc32(b"later", head_sum), raw_id) + b"later"
    known = frame(CLOSE, "1" * 32, b"now")
    found = scan(unknown + known + unknown)
    assert found.records == (Record(CLOSE, "1" * 32, b"now"),)
    assert found.damaged == (Span(0, 37), Span(37 + len(known), 2 * 37 + len(known)))
    assert not found.is_torn
    assert scan(b"?" + unknown).damaged == (Span(0, 38),)


def test_no_text_can_pass_for_a_record() -> None:
    """UTF-8 knows neither of the first two bytes, so a caller cannot write a record into the payload of a record."""
    everything = "".join(map(chr, (*range(0xD800), *range(0xE000, 0x110000)))).encode()
    assert not set(MAGIC[:2]) & set(everything)


@pytest.mark.parametrize(
    "piece",
    [
        MAGIC,
        MAGIC + b"\xff" * 28,
        struct.pack("<4sIII16s", MAGIC, 0xFFFF0001, zlib.crc32(bytes(16), 0xFFFF0001), 0, bytes(16)),
        b"\x00",
    ],
    ids=["magic", "heads", "heads that are right and claim 16 MB", "zeros"],
)
def test_hostile_bytes_take_no_longer_than_honest_ones(piece: bytes) -> None:
    """Twice the bytes, twice the time: counted in bytes hashed rather than in seconds."""
    hashed = {size: _bytes_hashed(piece * (size // len(piece))) for size in (200_000, 400_000)}
    assert hashed[400_000] <= 2.1 * hashed[200_000] + 1_000
    assert hashed[400_000] <= 5 * 400_000


def _bytes_hashed(data: bytes) -> int:
    class Counting:
        total = 0

        def crc32(self, part: bytes, start: int = 0) -> int:
            self.total += len(part)
            return zlib.crc32(part, start)

    counting = Counting()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal, "zlib", counting)
        journal.scan(data)
    return counting.total


@pytest.mark.parametrize("request_id", ["", "0" * 31, "0" * 34, "g" * 32, "0" * 30 + "  "])
def test_an_id_is_32_hex_digits(request_id: str) -> None:
    with pytest.raises(ValueError):
        frame(OPEN, request_id, b"")


def test_a_payload_has_a_bound() -> None:
    whole = frame(CLOSE, "0" * 32, bytes(PAYLOAD_BYTES_MAX))
    assert len(scan(whole).records[0].payload) == PAYLOAD_BYTES_MAX
    with pytest.raises(ValueError, match="at most 1048576 bytes, not 1048577"):
        frame(CLOSE, "0" * 32, bytes(PAYLOAD_BYTES_MAX + 1))


# Replay


def test_the_latest_attempt_counts_and_forgets_the_progress_of_the_one_before() -> None:
    history = [record(OPEN, 1, b"a"), record(PROGRESS, 1, b"1"), record(OPEN, 1, b"b")]
    assert fold(history) == Replay((entry(1, open=b"b"),))
    history += [record(PROGRESS, 1, b"2"), record(PROGRESS, 1, b"3")]
    assert fold(history) == Replay((entry(1, open=b"b", progress=b"3"),))


@pytest.mark.parametrize(
    ("end", "known"), [(record(CLOSE, 1, b""), {"close": b""}), (record(RELEASE, 1), {"released": True})]
)
def test_the_first_end_is_final(end: Record, known: dict[str, object]) -> None:
    history = [record(OPEN, 1, b"a"), record(PROGRESS, 1, b"1"), end]
    late = [record(OPEN, 1, b"z"), record(PROGRESS, 1, b"9"), record(CLOSE, 1, b"z"), record(RELEASE, 1)]
    assert fold(history) == fold(history + late) == Replay((entry(1, open=b"a", **known),))


def test_the_same_open_again_is_a_copy_and_forgets_nothing() -> None:
    history = [record(OPEN, 1, b"a"), record(PROGRESS, 1, b"1"), record(OPEN, 1, b"a")]
    assert fold(history) == Replay((entry(1, open=b"a", progress=b"1"),))


def test_an_open_carried_behind_its_end_is_known_again() -> None:
    """Its first copy may be gone with an old segment, while the CLOSE is still in a later one."""
    carried = [record(OPEN, 1, b"a"), record(CLOSE, 1, b"c")]
    assert fold([record(CLOSE, 1, b"c"), *carried]) == fold(carried) == Replay((entry(1, open=b"a", close=b"c"),))


def test_requests_come_in_the_order_in_which_they_appeared_and_without_the_acknowledged() -> None:
    history = [record(CLOSE, 3, b"c"), record(OPEN, 1), record(OPEN, 2), record(PROGRESS, 3), record(ACK, 1)]
    assert fold(history) == Replay((entry(3, close=b"c"), entry(2, open=b"")))


def test_progress_whose_open_was_lost_is_kept() -> None:
    assert fold([record(PROGRESS, 1, b"x")]) == Replay((entry(1, progress=b"x"),))


def test_an_acknowledgement_holds_whatever_comes_after_it() -> None:
    assert fold([record(ACK, 1), record(OPEN, 1), record(CLOSE, 1), record(ACK, 1), record(ACK, 2)]) == Replay(())


@given(histories, st.integers(0, 20))
def test_a_copy_of_what_is_left_says_the_same_and_changes_nothing_wherever_it_is_cut(
    history: list[Record], cut: int
) -> None:
    """The latest OPEN, PROGRESS and end of each request, in this order, are written again when an old segment shall go
    and after a failed fsync."""
    left = fold(history)
    kept = []
    for one in left.entries:
        for kind, payload in ((OPEN, one.open), (PROGRESS, one.progress), (CLOSE, one.close)):
            if payload is not None:
                kept.append(Record(kind, one.request_id, payload))
        if one.released:
            kept.append(Record(RELEASE, one.request_id, b""))
    assert fold(kept) == left
    assert fold(history + kept[:cut]) == left


@given(histories, few_ids)
def test_requests_do_not_touch_each_other(history: list[Record], request_id: str) -> None:
    """Acknowledging one removes it and nothing else, wherever the acknowledgement stands."""
    others = tuple(one for one in fold(history).entries if one.request_id != request_id)
    acknowledgement = Record(ACK, request_id, b"")
    assert fold([*history, acknowledgement]).entries == others
    assert fold([acknowledgement, *history]).entries == others
    alone = [one for one in history if one.request_id == request_id]
    assert fold(alone).entries == tuple(one for one in fold(history).entries if one.request_id == request_id)
