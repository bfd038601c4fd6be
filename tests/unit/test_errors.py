import re

import pytest

from tollway.errors import CATALOGUE, Code, Entry, Fault, Problem, Shape


@pytest.mark.parametrize("code", Code)
def test_every_code_has_an_entry_that_is_complete(code: Code) -> None:
    entry = CATALOGUE[code]
    assert re.fullmatch(r"[a-z][a-z_]*", code.value)
    assert 400 <= entry.status <= 599
    assert entry.message.strip()
    assert bool(entry.title) == (entry.historic not in (Shape.GENERAL, Shape.NUMBERED))


@pytest.mark.parametrize("entry", CATALOGUE.values())
def test_who_caused_it_agrees_with_the_status(entry: Entry) -> None:
    assert (entry.status < 500) == (entry.fault is Fault.CALLER)


def test_a_problem_may_carry_another_status() -> None:
    assert Problem(Code.OVERLOADED).http_status == 503
    assert Problem(Code.UPSTREAM_ERROR, status=418).http_status == 418
    assert Problem(Code.OVERLOADED).entry is CATALOGUE[Code.OVERLOADED]
