import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as with_changes
from structlog.testing import capture_logs

from tollway.billing.store import StoreUnavailableError
from tollway.gateway.transcripts import BATCH_BYTES, BATCH_MAX, Copy, Transcript, Transcripts
from tollway.settings import RequestLogSettings
from unit.gateway.fakes import ANONYMOUS, CALLER, NOW

ONE = Transcript("r1", NOW, "ann", None, "sim", "a/b", 200, b"12345", b"67890")
SETTINGS = RequestLogSettings(email_suffixes=("@Acme.test", "@b.test"), organizations=("org-1",))


class Store:
    """Implements TranscriptStore. `away`: it cannot be reached; `refuses`: what it will never take."""

    def __init__(self) -> None:
        self.away = False
        self.refuses: set[str] = set()
        self.batches: list[list[str]] = []
        self.taken: list[Transcript] = []

    async def add(self, transcripts: Sequence[Transcript]) -> None:
        if self.away:
            raise StoreUnavailableError("gone")
        ids = [one.id for one in transcripts]
        if self.refuses.intersection(ids):
            raise ValueError("nonsense")
        self.batches.append(ids)
        self.taken += transcripts


def waiting(store: Store, *transcripts: Transcript, **changes: int) -> tuple[Transcripts, list[int]]:
    dropped: list[int] = []
    made = Transcripts(SETTINGS.model_copy(update=changes), store, dropped.append)
    for one in transcripts:
        made.add(one)
    return made, dropped


@pytest.mark.parametrize(
    ("changes", "is_wanted"),
    [
        ({"email": "a@acme.TEST"}, True),
        ({"email": "a@b.test"}, True),
        ({"email": "a@evilacme.test"}, False),
        ({"email": "a@acme.test.evil"}, False),
        ({"email": "a@c.test", "organization_id": "org-1", "keeps_requests": True}, True),
        ({"email": "a@c.test", "organization_id": "org-1"}, False),
        ({"email": "a@acme.test", "organization_id": "org-1"}, False),
        ({"email": "a@acme.test", "organization_id": "org-1", "keeps_prompts": True}, False),
        ({"email": ""}, False),
    ],
)
def test_whose_are_kept(changes: dict[str, str], is_wanted: bool) -> None:
    transcripts, _ = waiting(Store())
    caller = replace(CALLER, **changes)
    assert transcripts.wants(caller) is is_wanted
    assert (transcripts.copy_for(caller, b"{}") is not None) is is_wanted


def test_a_stranger_is_never_kept_whatever_it_claims() -> None:
    transcripts, _ = waiting(Store())
    assert not transcripts.wants(replace(ANONYMOUS, email="a@acme.test", organization_id="org-1"))


@given(st.lists(st.binary(max_size=20)), st.integers(0, 60))
def test_a_copy_is_the_beginning_of_all_that_came(pieces: list[bytes], most: int) -> None:
    copy = Copy(b"{}", most)
    for piece in pieces:
        copy.take(piece)
    assert copy.response == b"".join(pieces)[:most]


def test_beyond_the_bound_they_are_dropped_and_room_comes_back() -> None:
    store = Store()
    transcripts, dropped = waiting(store, ONE, ONE, ONE, waiting_bytes=25)
    assert (len(transcripts), dropped) == (2, [1])
    asyncio.run(transcripts.flush())
    transcripts.add(ONE)
    transcripts.add(ONE)
    assert (len(transcripts), dropped) == (2, [1])


def test_batches_are_bounded_by_number_and_bytes() -> None:
    store = Store()
    small = [with_changes(ONE, id=f"s{number}") for number in range(BATCH_MAX + 1)]
    large = [with_changes(ONE, id=f"l{number}", response=bytes(BATCH_BYTES)) for number in range(2)]
    transcripts, _ = waiting(store, *small, *large)
    asyncio.run(transcripts.flush())
    assert [len(batch) for batch in store.batches] == [BATCH_MAX, 1, 1, 1]
    assert store.taken == [*small, *large]
    assert len(transcripts) == 0


def test_while_the_store_is_away_they_wait() -> None:
    store = Store()
    store.away = True
    transcripts, dropped = waiting(store, ONE)
    with pytest.raises(StoreUnavailableError):
        asyncio.run(transcripts.flush())
    assert (len(transcripts), dropped) == (1, [])
    with capture_logs() as lines:
        asyncio.run(transcripts.flush_at_end())
    assert [line["event"] for line in lines] == ["transcripts_lost"]
    store.away = False
    asyncio.run(transcripts.flush_at_end())
    assert store.batches == [["r1"]]


def test_one_that_is_refused_costs_no_other() -> None:
    store = Store()
    store.refuses = {"b"}
    transcripts, dropped = waiting(store, *(with_changes(ONE, id=name) for name in "abc"))
    with capture_logs() as lines:
        asyncio.run(transcripts.flush())
    assert store.batches == [["a"], ["c"]]
    assert (dropped, [line["request_id"] for line in lines]) == ([1], ["b"])
