import pytest

from tollway.providers.openrouter import PROVIDER


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({}, {"include": True}),
        ({"usage": None}, {"include": True}),
        ({"usage": "x"}, {"include": True}),
        ({"usage": {"include": False, "other": 1}}, {"include": True, "other": 1}),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
def test_cost_is_always_asked_for(given: dict[str, object], sent: dict[str, object], stream: bool) -> None:
    assert PROVIDER.shape
    body = {"model": "m", **given}
    assert PROVIDER.shape(body, stream) == {"model": "m", "usage": sent}
    assert body == {"model": "m", **given}


def test_what_it_charges_is_what_counts() -> None:
    assert PROVIDER.reports_cost
    assert not PROVIDER.stops_billing_on_abort
