from tollway.providers.apertis import PROVIDER


def test_its_list_has_owners_and_no_prices() -> None:
    assert PROVIDER.client
    listing = PROVIDER.client.listing
    assert (listing.context_tokens, listing.completion_tokens, listing.quotes_prices) == (128_000, 4_096, False)
    assert (listing.sees_images, listing.takes_temperature, listing.family) == (True, True, "owner")
