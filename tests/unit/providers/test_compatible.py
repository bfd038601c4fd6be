from tollway.providers.compatible import PROVIDER


def test_its_address_comes_from_the_settings() -> None:
    assert PROVIDER.base_url == ""
    assert not PROVIDER.reports_cost
    assert PROVIDER.shape
    assert PROVIDER.shape({"model": "m", "stream_options": {}}, False) == {"model": "m"}
