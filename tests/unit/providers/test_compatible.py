from tollway.providers.compatible import PROVIDER
from tollway.providers.dialect import without_stray_stream_options


def test_its_address_comes_from_the_settings() -> None:
    assert PROVIDER.base_url == ""
    assert not PROVIDER.reports_cost
    assert PROVIDER.rules == (without_stray_stream_options,)
