import asyncio

import pytest
from structlog.testing import capture_logs

from tollway.http.guard import Guard


def test_a_bug_is_reported_and_goes_no_further() -> None:
    fine, bug = Guard(), Guard()
    with capture_logs() as lines:
        with fine:
            pass
        with bug:
            raise KeyError("somebody's prompt")
    assert (fine.failed, bug.failed) == (False, True)
    assert [(line["event"], type(line["error"])) for line in lines] == [("internal_error", KeyError)]


@pytest.mark.parametrize("kind", [asyncio.CancelledError, KeyboardInterrupt, SystemExit])
def test_being_stopped_is_no_bug(kind: type[BaseException]) -> None:
    one = Guard()
    with capture_logs() as lines, pytest.raises(kind), one:
        raise kind
    assert (one.failed, lines) == (False, [])


def test_what_is_awaited_in_its_block_is_guarded_too() -> None:
    async def bug() -> None:
        await asyncio.sleep(0)
        raise KeyError

    async def run() -> bool:
        one = Guard()
        with one:
            await bug()
        return one.failed

    with capture_logs():
        assert asyncio.run(run())
