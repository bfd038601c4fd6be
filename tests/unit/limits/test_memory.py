from hypothesis import given
from hypothesis import strategies as st

from tollway.limits.memory import Memory, Pressure, pressure_of

BYTES = st.integers(0, 2**50)


@given(BYTES, BYTES, st.integers(1, 2**50))
def test_more_used_never_refuses_less(one: int, other: int, limit: int) -> None:
    assert pressure_of(min(one, other), limit) <= pressure_of(max(one, other), limit)


@given(BYTES, st.integers(1, 2**50), st.integers(1, 2**50))
def test_a_higher_limit_never_refuses_more(used: int, one: int, other: int) -> None:
    assert pressure_of(used, max(one, other)) <= pressure_of(used, min(one, other))


@given(st.integers(1, 2**40))
def test_exactly_at_a_share_nothing_changes_and_above_it_does(hundredth: int) -> None:
    limit = hundredth * 100
    found = [
        pressure_of(used, limit) for percent in (80, 90) for used in (limit * percent // 100 + one for one in (0, 1))
    ]
    assert found == [Pressure.NONE, Pressure.ANONYMOUS, Pressure.ANONYMOUS, Pressure.ALL]


@given(BYTES)
def test_without_a_limit_nobody_is_refused(used: int) -> None:
    memory = Memory()
    assert memory.note(used) is Pressure.NONE
    assert (memory.refuses_anonymous, memory.refuses_all) == (False, False)


def test_the_flags_follow_what_was_seen_last() -> None:
    memory, seen = Memory(100), []
    for used in (80, 81, 91, 85, 10):
        memory.note(used)
        seen.append((memory.used_bytes, memory.refuses_anonymous, memory.refuses_all))
    assert seen == [(80, False, False), (81, True, False), (91, True, True), (85, True, False), (10, False, False)]
