import pytest

from contract.scenario import START
from tollway.observability.alerting.rules import (
    WINDOWS,
    ErrorRateRule,
    Kind,
    Promise,
    Severity,
    TtfbRule,
    watched_name,
)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (" Foo/Bar:free ", "foo/bar"),
        ("x-ai/grok-code-fast-1:optimized:free", "x-ai/grok-code-fast-1"),
        ("a/b", "a/b"),
        ("a/b :free", "a/b"),
        (":free", ""),
        ("  ", ""),
    ],
)
def test_a_model_has_the_name_of_its_records(given: str, name: str) -> None:
    assert watched_name(given) == name
    assert watched_name(name) == name


def test_pages_come_first_and_the_fastest_of_them() -> None:
    order = [(window.severity is Severity.TICKET, -window.burn_rate) for window in WINDOWS]
    assert order == sorted(order)


def test_what_a_rule_promises() -> None:
    errors = ErrorRateRule("m", True, 0.999, 10, START).promise
    slow = TtfbRule("m", True, 3000, 0.95, 20, START).promise
    assert (errors, errors.kind) == (Promise("m", 0.999, 10), Kind.ERROR_RATE)
    assert (slow, slow.kind) == (Promise("m", 0.95, 20, 3000), Kind.TTFB)
