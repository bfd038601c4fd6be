from datetime import UTC, datetime, timedelta, timezone

import pytest
import typer

from tollway.cli import arguments
from tollway.cli.arguments import read_amount, read_instant, read_limit, read_list

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(("text", "amount"), [("12.50", 12_500_000), ("$0.000001", 1), ("0", 0)])
def test_amounts_are_usd(text: str, amount: int) -> None:
    assert read_amount(text) == amount
    assert read_limit(text) == amount


@pytest.mark.parametrize("text", ["", "ten", "0.0000001", "1e99", "NaN"])
def test_what_is_no_amount_is_wrong_usage(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        read_amount(text)


@pytest.mark.parametrize(
    ("text", "entries"),
    [("a/b", ("a/b",)), ("b,a/*, c", ("b", "a/*", " c")), (" None ", ()), ("", ("",)), ("a,", ("a", ""))],
)
def test_lists_are_divided_by_commas(text: str, entries: tuple[str, ...]) -> None:
    """Nothing given is not none: an empty variable must not lift a restriction."""
    assert read_list(text) == entries


def test_a_limit_may_be_none() -> None:
    assert read_limit(" None ") is None


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2027-01-31", datetime(2027, 1, 31, tzinfo=UTC)),
        ("2027-01-31T12:00:00+02:00", datetime(2027, 1, 31, 12, tzinfo=timezone(timedelta(hours=2)))),
        ("30d", NOW + timedelta(days=30)),
    ],
)
def test_instants(text: str, instant: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arguments, "utc_now", lambda: NOW)
    assert read_instant(text) == instant


@pytest.mark.parametrize("text", ["", "d", "soon", "-3d", "2027-13-01", "1234567d"])
def test_what_is_no_instant_is_wrong_usage(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        read_instant(text)
