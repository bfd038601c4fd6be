from tollway.providers.dialect import ask_for_cost
from tollway.providers.openrouter import PROVIDER


def test_what_it_charges_is_what_counts() -> None:
    assert PROVIDER.reports_cost
    assert PROVIDER.rules == (ask_for_cost,)
    assert not PROVIDER.stops_billing_on_abort
