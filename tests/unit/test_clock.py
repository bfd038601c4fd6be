from datetime import UTC

from tollway import clock


def test_instants_are_aware_and_agree() -> None:
    before = clock.unix_milliseconds()
    now = clock.utc_now()
    assert now.tzinfo is UTC
    assert before <= now.timestamp() * 1_000 + 1
    assert clock.unix_seconds() - before // 1_000 in (0, 1)


def test_ages_never_shrink() -> None:
    times = [clock.monotonic() for _ in range(100)]
    assert times == sorted(times)
