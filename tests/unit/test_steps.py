import asyncio
from typing import Any

import pytest

from tollway.steps import Later, Steps, beside


def run(scenario: Any) -> Any:
    return asyncio.run(scenario)


def start(work: Any, ended: list[str]) -> Steps:
    steps = Steps(work, asyncio.get_running_loop(), lambda _: ended.append("ended"))
    steps.go_on()
    return steps


def test_it_starts_at_once_and_goes_on_within_give() -> None:
    async def scenario() -> None:
        said: list[str] = []
        later: Later[str] = Later()

        async def work() -> None:
            said.append("started")
            said.append(await later)

        start(work(), said)
        assert said == ["started"]
        later.give("given")
        assert said == ["started", "given", "ended"]

    run(scenario())


def test_a_value_that_is_there_is_not_waited_for() -> None:
    async def scenario() -> None:
        said: list[str] = []
        later: Later[str] = Later()
        later.give("given")

        async def work() -> None:
            said.append(await later)

        start(work(), said)
        assert said == ["given", "ended"]

    run(scenario())


def test_futures_sleeps_and_tasks_resume_it_like_a_task() -> None:
    async def scenario() -> None:
        said: list[str] = []
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        over = loop.create_future()

        async def limited() -> str:
            async with asyncio.timeout(60):  # needs a current task
                await asyncio.sleep(0)
                return "beside"

        async def work() -> None:
            await asyncio.sleep(0)
            said.append(await future)
            said.append(await beside(limited(), loop))
            with pytest.raises(ZeroDivisionError):
                await failing
            over.set_result(None)

        failing = loop.create_future()
        failing.set_exception(ZeroDivisionError())
        start(work(), said)
        future.set_result("future")
        await over
        assert said == ["future", "beside", "ended"]

    run(scenario())


def test_in_a_task_a_later_is_a_future() -> None:
    async def scenario() -> str:
        later: Later[str] = Later()
        asyncio.get_running_loop().call_soon(later.give, "given")
        return await later

    assert run(scenario()) == "given"


@pytest.mark.parametrize("kind", [Later, asyncio.Future])
def test_cancelled_it_may_tidy_up_and_ends(kind: Any) -> None:
    async def scenario() -> None:
        said: list[str] = []
        waits_for = kind()

        async def work() -> None:
            try:
                await waits_for
            finally:
                said.append("tidied")

        steps = start(work(), said)
        steps.cancel()
        await asyncio.sleep(0)
        assert said == ["tidied", "ended"]
        assert waits_for.cancelled()
        steps.cancel()  # again changes nothing
        await asyncio.sleep(0)
        assert said == ["tidied", "ended"]

    run(scenario())


def test_a_bug_ends_it_and_is_not_swallowed() -> None:
    async def scenario() -> None:
        said: list[str] = []

        async def work() -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            start(work(), said)
        assert said == ["ended"]

    run(scenario())
