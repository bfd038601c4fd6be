"""When a request is sent again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.client.retries import ATTEMPTS_MAX, RETRY_AFTER_S_MAX, WAITS_S, pause_s


@given(st.integers(1, 10), st.sampled_from([0, 408, 429, 500, 502, 503, 599]), st.floats(0, 1))
def test_waits_grow_and_end(attempts: int, status: int, roll: float) -> None:
    pause = pause_s(attempts, status, None, roll)
    assert (pause is None) == (attempts >= ATTEMPTS_MAX)
    if pause is not None:
        assert WAITS_S[attempts - 1] * 0.8 <= pause <= WAITS_S[attempts - 1] * 1.2 + 1e-9


@given(st.integers(1, 10), st.sampled_from([200, 400, 401, 402, 403, 404, 409, 422, 499]), st.integers(0, 100))
def test_a_refusal_is_final(attempts: int, status: int, asked_s: int) -> None:
    assert pause_s(attempts, status, asked_s, 0.5) is None


@pytest.mark.parametrize("asked_s", [0, 1, 90, RETRY_AFTER_S_MAX])
def test_what_is_asked_for_is_obeyed_exactly(asked_s: int) -> None:
    assert pause_s(1, 429, asked_s, 0.123) == asked_s


def test_nobody_waits_for_a_day() -> None:
    assert pause_s(1, 429, RETRY_AFTER_S_MAX + 1, 0.5) is None
