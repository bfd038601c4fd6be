"""Segments: the same bytes and counts, cut anywhere."""

from hypothesis import given
from hypothesis import strategies as st

from tollway.sim.segments import cut_once, cut_segments
from tollway.sim.steps import Ended, Leave, Send, Step, Wait

STEPS = st.lists(
    st.builds(Send, st.binary(max_size=30), st.integers(0, 3), st.integers(0, 3), st.none() | st.just("{}"))
    | st.builds(Wait, st.integers(0, 5))
    | st.just(Ended("complete")),
    max_size=8,
)


@given(STEPS, st.integers(1, 40))
def test_nothing_is_lost(steps: list[Step], size_bytes: int) -> None:
    steps = [*steps, Leave.CLOSE]
    cut = list(cut_segments(steps, size_bytes))
    assert b"".join(s.data for s in cut if isinstance(s, Send)) == b"".join(
        s.data for s in steps if isinstance(s, Send)
    )
    assert sum(s.completion_tokens for s in cut if isinstance(s, Send)) == sum(
        s.completion_tokens for s in steps if isinstance(s, Send)
    )
    assert all(len(step.data) <= size_bytes for step in cut if isinstance(step, Send))
    assert [s for s in cut if isinstance(s, Ended | Leave)] == [s for s in steps if isinstance(s, Ended | Leave)]


def test_a_rest_is_sent_before_anything_else_happens() -> None:
    assert list(cut_segments([Send(b"abc", 1), Leave.CLOSE], 2)) == [
        Send(b"ab"),
        Wait(0),
        Send(b"", 1),
        Send(b"c"),
        Leave.CLOSE,
    ]


@given(STEPS, st.integers(1, 100))
def test_one_cut_loses_nothing(steps: list[Step], at: int) -> None:
    steps = [*steps, Leave.CLOSE]
    cut = list(cut_once(steps, at))
    before, after = (_sent(some) for some in (steps, cut))
    assert before == after
    pauses = [number for number, step in enumerate(cut) if step == Wait(2)]
    if len(before[0]) >= at and Wait(2) not in steps:
        assert len(pauses) == 1
        assert len(_sent(cut[: pauses[0]])[0]) == at
    assert [s for s in cut if not isinstance(s, Send | Wait)] == [s for s in steps if not isinstance(s, Send | Wait)]


def _sent(steps: list[Step]) -> tuple[bytes, int, int]:
    sent = [step for step in steps if isinstance(step, Send)]
    return b"".join(s.data for s in sent), sum(s.completion_tokens for s in sent), sum(s.reasoning_tokens for s in sent)
