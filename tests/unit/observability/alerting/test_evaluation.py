from fractions import Fraction
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.observability.alerting.evaluation import Breach, Count, Group, breaches, may_be_broken
from tollway.observability.alerting.rules import WINDOWS, Promise, Severity, Window

PAGE, _, TICKET = WINDOWS
A, B = Group("openai", "m", "house"), Group("vercel", "m", "house")
PROMISE = Promise("m", 0.999, 10)
BAD, GOOD = Count(100, 50), Count(100, 0)


def test_both_sides_must_break_it() -> None:
    assert breaches(PAGE, [PROMISE], {A: BAD, B: BAD}, {A: BAD, B: GOOD}) == (Breach(PAGE, PROMISE, A, BAD),)
    assert breaches(PAGE, [PROMISE], {A: GOOD}, {A: BAD}) == ()
    assert breaches(PAGE, [PROMISE], {A: BAD}, {}) == ()
    assert breaches(PAGE, [], {A: BAD}, {A: BAD}) == ()
    assert breaches(PAGE, [Promise("other", 0.999, 10)], {A: BAD}, {A: BAD}) == ()


@pytest.mark.parametrize("side", [0, 1])
def test_either_side_needs_enough_requests(side: int) -> None:
    few = [{A: Count(10, 10)}, {A: Count(10, 10)}]
    assert breaches(PAGE, [PROMISE], *few)
    few[side] = {A: Count(9, 9)}
    assert not breaches(PAGE, [PROMISE], *few)


def test_the_order_does_not_depend_on_the_database() -> None:
    found = [breach.group for breach in breaches(PAGE, [PROMISE], {B: BAD, A: BAD}, {A: BAD, B: BAD})]
    assert found == [A, B]


@given(
    st.integers(1, 10**6),
    st.data(),
    st.sampled_from([Fraction(9, 10), Fraction(95, 100), Fraction(99, 100), Fraction(999, 1000)]),
    st.sampled_from([Fraction(72, 5), Fraction(6), Fraction(1), Fraction(2)]),
)
def test_as_exact_as_fractions(total: int, data: st.DataObject, slo: Fraction, threshold: Fraction) -> None:
    """Whatever is at least the threshold counts, and nothing that is clearly below it."""
    exact = threshold * (1 - slo) * total
    bad = data.draw(st.integers(0, total) | st.sampled_from([max(0, min(total, int(exact) + by)) for by in (-1, 0, 1)]))
    window = Window(Severity.PAGE, 5, 1, float(threshold))
    counts = {A: Count(total, bad)}
    found = bool(breaches(window, [Promise("m", float(slo), 1)], counts, counts))
    assert found is (bad >= exact)
    assert found is may_be_broken(window, [Promise("m", float(slo), 1)], counts)


def test_nothing_and_everything() -> None:
    assert Count(0, 0).burn_rate(0.999) == 0
    assert Count(10, 0).burn_rate(1) == inf


def test_keys_and_what_silences_them() -> None:
    page = Breach(PAGE, PROMISE, A, BAD)
    ticket = Breach(TICKET, Promise("m", 0.95, 10, 3000), A, BAD)
    assert page.key == "o11y:alert:page:error_rate:openai:m:house"
    assert page.silenced_by == (page.key,)
    assert ticket.key == "o11y:alert:ticket:ttfb:openai:m:house"
    assert ticket.silenced_by == (ticket.key, "o11y:alert:page:ttfb:openai:m:house")
