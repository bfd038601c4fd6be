from tollway.providers.dialect import without_stray_stream_options
from tollway.providers.openai import PROVIDER


def test_tokens_are_priced_from_the_table() -> None:
    assert not PROVIDER.reports_cost
    assert PROVIDER.rules == (without_stray_stream_options,)
