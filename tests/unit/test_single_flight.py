import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tollway.single_flight import SingleFlight


class Question:
    """Counts how often it is put; `answer` is what it is answered, or raises."""

    def __init__(self) -> None:
        self.flights = SingleFlight[str]()
        self.count = 0
        self.may_answer = asyncio.Event()
        self.error: Exception | None = None

    def put(self, key: str = "a") -> "asyncio.Task[str]":
        return asyncio.create_task(self.flights.ask(key, self._work))

    async def _work(self) -> str:
        self.count += 1
        number = self.count
        await self.may_answer.wait()
        if self.error:
            raise self.error
        return f"answer {number}"


def run(scenario: Callable[[Question], Awaitable[None]]) -> None:
    async def with_question() -> None:
        await scenario(Question())

    asyncio.run(with_question())


def test_those_who_ask_at_the_same_time_share_an_answer_and_the_next_one_asks_anew() -> None:
    async def scenario(question: Question) -> None:
        asking = [question.put(key) for key in "aaba"]
        await asyncio.sleep(0)
        question.may_answer.set()
        assert await asyncio.gather(*asking) == ["answer 1", "answer 1", "answer 2", "answer 1"]
        assert "a" not in question.flights
        assert await question.put() == "answer 3"

    run(scenario)


def test_a_failure_is_everybodys_and_not_kept() -> None:
    async def scenario(question: Question) -> None:
        question.error = ValueError("no")
        asking = [question.put(), question.put()]
        question.may_answer.set()
        for one in asking:
            with pytest.raises(ValueError, match="no"):
                await one
        question.error = None
        assert await question.put() == "answer 2"

    run(scenario)


def test_it_goes_on_when_everybody_gives_up() -> None:
    async def scenario(question: Question) -> None:
        asking = [question.put(), question.put()]
        await asyncio.sleep(0)
        for one in asking:
            one.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        assert "a" in question.flights
        late = question.put()
        await asyncio.sleep(0)
        question.may_answer.set()
        assert await late == "answer 1"

    run(scenario)
