import pytest

from tollway.client.credentials import ApiCredential, Credentials, OauthCredential
from tollway.client.endpoint import endpoint_of
from tollway.client.errors import ClientError
from tollway.client.gateways import find_gateway, is_address, is_private_connection, origin_of
from unit.client.fakes import NOW_MS, gateways


def test_the_popular_ones_come_first_and_the_others_by_name() -> None:
    config = {"provider": {"house": {"name": "A house", "options": {"baseURL": "https://h.example"}}}}
    assert list(gateways(config)) == ["tollway", "openai", "openrouter", "fastrouter", "house", "apertis", "mistral"]


def test_who_is_disabled_is_found_only_when_asked_for() -> None:
    config = {"disabled_providers": ["fastrouter"]}
    assert "fastrouter" not in gateways(config)
    assert "fastrouter" in gateways(config, also_disabled=True)


def test_one_that_only_the_configuration_knows() -> None:
    tree = {"provider": {"house": {"options": {"baseURL": "http://127.0.0.1:8000/v1/"}, "env": ["HOUSE_KEY"]}}}
    found = gateways(tree, {"HOUSE_KEY": "k"})["house"]
    assert (found.name, found.base_url, found.provider.dialect) == ("house", "http://127.0.0.1:8000/v1", "openai")
    assert found.key
    assert found.may_fetch(is_named=False)
    assert "house" not in gateways({"provider": {"house": {"name": "without an address"}}})


@pytest.mark.parametrize(
    ("said", "dialect", "quotes_prices"),
    [
        ({}, "openai", False),
        ({"dialect": "openrouter"}, "openrouter", True),
        ({"npm": "@openrouter/ai-sdk-provider"}, "openrouter", True),
        ({"npm": "@ai-sdk/openai-compatible"}, "openai", False),
        ({"npm": "something-else"}, "openai", False),
    ],
)
def test_how_it_is_spoken_to(said: dict[str, str], dialect: str, quotes_prices: bool) -> None:
    """Its key goes along with the question for its list, and none need be there when it is named."""
    tree = {"provider": {"house": {"options": {"baseURL": "https://h.example", "apiKey": "k"}, **said}}}
    found = gateways(tree)["house"]
    assert (found.id, found.provider.id, found.provider.dialect) == ("house", "house", dialect)
    assert found.access.listing.quotes_prices is quotes_prices
    assert b"authorization: Bearer k" in endpoint_of(found).list_head
    bare = gateways({"provider": {"house": {"options": {"baseURL": "https://h.example"}, **said}}})["house"]
    assert (bare.may_fetch(is_named=False), bare.may_fetch(is_named=True)) == (False, True)


def test_a_dialect_that_nothing_speaks() -> None:
    tree = {"provider": {"house": {"options": {"baseURL": "https://h.example"}, "dialect": "klingon"}}}
    with pytest.raises(ClientError, match="provider house: its dialect must be one of compatible, openai, openrouter"):
        gateways(tree)


def test_who_may_be_asked() -> None:
    """Named is consent where the list is public; a Tollway has models for everybody; without an address, nobody."""
    found = gateways({}, {"TOLLWAY_API_URL": "https://t.example"})
    may = {name: (one.may_fetch(is_named=False), one.may_fetch(is_named=True)) for name, one in found.items()}
    assert may["fastrouter"] == may["openrouter"] == (False, True)
    assert may["openai"] == may["apertis"] == (False, False)
    assert may["tollway"] == (True, True)
    assert gateways()["tollway"].may_fetch(is_named=True) is False


@pytest.mark.parametrize("address", ["https://t.example", "https://t.example/", "https://t.example/api/gateway"])
def test_where_a_tollway_is(address: str) -> None:
    assert gateways({}, {"TOLLWAY_API_URL": address})["tollway"].base_url == "https://t.example/api/gateway"
    tree = {"provider": {"tollway": {"options": {"baseURL": "https://c.example/v1"}}}}
    assert gateways(tree, {"TOLLWAY_API_URL": address})["tollway"].base_url == "https://c.example/v1"


LOGIN = OauthCredential(
    refresh="r", access="t", expires=NOW_MS + 1, account_id="org", enterprise_url="https://t.example"
)


@pytest.mark.parametrize("stored", [LOGIN, ApiCredential(key="t", metadata={"url": "https://t.example"})])
def test_what_a_gateway_gave_goes_back_to_it_and_to_no_other(stored: OauthCredential | ApiCredential) -> None:
    held = Credentials({"tollway": stored})
    found = gateways(stored=held)["tollway"]
    assert (found.base_url, found.key and found.key.text) == ("https://t.example/api/gateway", "t")
    for elsewhere in ("https://u.example", "http://t.example", "https://t.example:8443"):
        assert gateways({}, {"TOLLWAY_API_URL": elsewhere}, held)["tollway"].key is None
    assert gateways({}, {"TOLLWAY_API_URL": "https://t.example:443/"}, held)["tollway"].key


def test_whom_calls_act_for() -> None:
    held = Credentials({"tollway": LOGIN, "fastrouter": ApiCredential(key="k")})
    assert gateways(stored=held)["tollway"].organization_id == "org"
    other = gateways({}, {"TOLLWAY_ORG_ID": "other"}, held)
    assert (other["tollway"].organization_id, other["fastrouter"].organization_id) == ("other", "")


def test_the_limit_can_be_made_shorter_and_not_longer() -> None:
    def limit(timeout: object) -> float:
        return gateways({"provider": {"fastrouter": {"options": {"timeout": timeout}}}})["fastrouter"].timeout_s

    assert [limit(one) for one in (500, 60_000, False, None)] == [0.5, 10, 10, 10]


@pytest.mark.parametrize("text", ["fastrouter", " fastrouter ", "FastRouter", "fastROUTER"])
def test_found_by_id_or_name(text: str) -> None:
    found = find_gateway(gateways(), text)
    assert found
    assert found.id == "fastrouter"
    assert find_gateway(gateways(), "fast") is None


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("https://a.example", True),
        ("http://[::1]:8788/v1", True),
        ("ftp://a.example", False),
        ("https://user:pass@a.example", False),
        ("https://a.example/?q", False),
        ("https://a.example/#f", False),
        ("https://a.example:x", False),
        ("https://a b.example", False),
        ("https://a.example\r\nx: y", False),
        ("https://", False),
        ("", False),
    ],
)
def test_what_is_an_address(text: str, is_one: bool) -> None:
    assert is_address(text) is is_one
    if text and not is_one:
        with pytest.raises(ClientError, match="provider fastrouter: its address"):
            gateways({"provider": {"fastrouter": {"options": {"baseURL": text}}}})


def test_who_can_listen() -> None:
    assert origin_of("http://A.example") == ("http", "a.example", 80)
    private = ["https://a.example", "http://127.0.0.1:8788", "http://localhost", "http://[::1]:1"]
    assert all(map(is_private_connection, private))
    assert not is_private_connection("http://a.example")
