from tollway.providers.custom_llm import PROVIDERS
from tollway.providers.martian import PROVIDER
from tollway.providers.provider import RESPONSES


def test_tokens_are_priced_from_the_table() -> None:
    assert not PROVIDER.reports_cost
    assert PROVIDER.rules == ()


def test_its_free_models_are_served_by_another_api() -> None:
    """request-path 8.5.3"""
    assert PROVIDERS[PROVIDER.hosted_vendor].dialect == RESPONSES
    assert not PROVIDER.is_translated
