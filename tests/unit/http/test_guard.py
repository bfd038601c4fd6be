import asyncio

import pytest
from structlog.testing import capture_logs

from tollway.http.guard import guard


async def _fine() -> None: ...


async def _bug() -> None:
    raise KeyError("somebody's prompt")


async def _cancelled() -> None:
    raise asyncio.CancelledError


def test_a_bug_is_reported_and_goes_no_further() -> None:
    with capture_logs() as lines:
        assert asyncio.run(guard(_fine()))
        assert not asyncio.run(guard(_bug()))
    assert [(line["event"], type(line["error"])) for line in lines] == [("internal_error", KeyError)]


def test_cancellation_is_no_bug() -> None:
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(guard(_cancelled()))
