import re
from uuid import UUID

from tollway.clock import unix_milliseconds
from tollway.ids import BASE62, is_uuid, jitter, new_id, new_request_id, random_bytes, random_text


def test_request_ids_are_unique_and_ordered_by_time() -> None:
    before = unix_milliseconds()
    ids = [new_request_id() for _ in range(10_000)]
    assert len(set(ids)) == 10_000
    assert all(re.fullmatch(r"[0-9a-f]{32}", one) for one in ids)
    times = [int(one[:12], 16) for one in ids]
    assert times == sorted(times)
    assert before <= times[0] <= times[-1] <= unix_milliseconds()
    assert len({one[12:24] for one in ids}) == 1  # of this process


def test_row_ids_are_uuids() -> None:
    assert UUID(new_id()).version == 4
    assert is_uuid(new_id())
    assert is_uuid(new_id().upper())


def test_what_is_no_uuid() -> None:
    for text in ("", "x", new_id()[:-1], f"{{{new_id()}}}", new_id().replace("-", ""), f"urn:uuid:{new_id()}"):
        assert not is_uuid(text)


def test_secrets_have_the_length_asked_for() -> None:
    assert len(random_bytes(32)) == 32
    assert len(random_text(30)) == 30
    assert set(random_text(1_000)) <= set(BASE62)
    assert random_bytes(16) != random_bytes(16)


def test_jitter_stays_within() -> None:
    assert all(2 <= jitter(2, 3) <= 3 for _ in range(100))
