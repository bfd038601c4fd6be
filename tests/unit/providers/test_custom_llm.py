import pytest

from tollway.providers.custom_llm import PROVIDERS, custom_llm, hosted_upstreams
from tollway.providers.registry import configured
from tollway.settings import SettingsError, parse

SETTINGS = parse(
    {
        "providers": {
            "martian": {"api_key": "sk-m", "base_url": "https://m.example/v1"},
            "openrouter": {"api_key": "sk-o"},
        }
    }
)


@pytest.mark.parametrize("vendor", PROVIDERS)
def test_all_count_as_one_provider_that_is_translated(vendor: str) -> None:
    provider = PROVIDERS[vendor]
    assert (provider.id, provider.is_translated, provider.reports_cost, provider.generation_lookup) == (
        "custom",
        True,
        False,
        False,
    )
    assert not provider.rules


@pytest.mark.parametrize("vendor", PROVIDERS)
@pytest.mark.parametrize(("url", "path"), [("https://a.example", b""), ("http://[::1]:9/x/v1", b"/x/v1")])
def test_where_it_is(vendor: str, url: str, path: bytes) -> None:
    made = custom_llm(PROVIDERS[vendor], url, "sk")
    assert made.head[0] in (b"POST %b/messages" % path, b"POST %b/responses" % path)
    assert made.lookup_head is None
    assert made.base_url == url


@pytest.mark.parametrize(("url", "key"), [("nowhere", "sk"), ("https://a.example", "sk\r\nX: y"), ("ftp://a", "sk")])
def test_what_cannot_be_called(url: str, key: str) -> None:
    with pytest.raises(SettingsError):
        custom_llm(PROVIDERS["openai"], url, key)


def test_hosted_models_reach_some_providers_by_another_api() -> None:
    """request-path 8.5.3: the operator's key, its own address, and no look-ups."""
    upstreams = configured(SETTINGS)
    hosted = hosted_upstreams(SETTINGS, upstreams)
    assert hosted["openrouter"] is upstreams["openrouter"]
    assert hosted["martian"].id == "custom"
    before, after = hosted["martian"].head
    assert before == b"POST /v1/responses"
    assert b"\r\nAuthorization: Bearer sk-m\r\n" in after
    assert upstreams["martian"].head[0] == b"POST /v1/chat/completions"
