from tollway.providers.openai import PROVIDER


def test_tokens_are_priced_from_the_table() -> None:
    assert not PROVIDER.reports_cost
    assert PROVIDER.shape
    assert PROVIDER.shape({"model": "m", "stream_options": {}}, False) == {"model": "m"}
