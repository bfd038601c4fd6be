from tollway.providers.fastrouter import PROVIDER
from tollway.providers.openrouter import PROVIDER as OPENROUTER


def test_it_is_asked_as_openrouter_is() -> None:
    assert (PROVIDER.dialect, PROVIDER.rules) == (OPENROUTER.dialect, OPENROUTER.rules)
    assert PROVIDER.reports_cost
