import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.limits.files import BACKLOG_MAX, backlog, connections_max

MANY = st.integers(1, 10**6)


@given(MANY, MANY, MANY)
def test_those_let_in_and_their_requests_leave_files_for_the_rest(files: int, connections: int, in_flight: int) -> None:
    most = connections_max(files, connections, in_flight)
    assert 1 <= most <= connections
    if files >= 4:
        assert most + min(most, in_flight) + min(200, files // 4) <= files + 1


@given(MANY, MANY, MANY, MANY)
def test_more_files_never_let_in_fewer(one: int, other: int, connections: int, in_flight: int) -> None:
    few, many = sorted((one, other))
    assert connections_max(few, connections, in_flight) <= connections_max(many, connections, in_flight)
    assert backlog(few) <= backlog(many)


@pytest.mark.parametrize(
    ("files", "most"), [(256, 96), (1_024, 412), (32_200, 20_000), (32_199, 19_999), (sys.maxsize, 20_000)]
)
def test_with_the_defaults(files: int, most: int) -> None:
    assert connections_max(files, 20_000, 12_000) == most


@given(MANY)
def test_who_waits_together_never_takes_what_is_kept_free(files: int) -> None:
    assert 1 <= backlog(files) <= BACKLOG_MAX
    if files >= 8:
        assert files - connections_max(files, 10**6, 10**6) >= backlog(files)
