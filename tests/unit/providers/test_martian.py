from tollway.providers.martian import PROVIDER


def test_tokens_are_priced_from_the_table() -> None:
    assert not PROVIDER.reports_cost
    assert PROVIDER.rules == ()
