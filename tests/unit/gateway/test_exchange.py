import pytest

from tollway.gateway.exchange import MissingPartError
from unit.gateway.fakes import CALLER, exchange


def test_a_part_that_nobody_gave_is_a_bug() -> None:
    one = exchange()
    with pytest.raises(MissingPartError, match="caller"):
        _ = one.caller
    assert not one.has("caller")
    one.caller = CALLER
    assert one.has("caller")
    assert one.caller is CALLER


def test_a_part_may_be_none() -> None:
    one = exchange()
    one.hold = None
    assert one.has("hold")


def test_there_are_no_other_parts() -> None:
    with pytest.raises(AttributeError):
        exchange().surprise = 1  # type: ignore[attr-defined]  # that is the point
