from tollway.providers.feeds import are_at_home, fed_providers, gateway_places
from tollway.providers.registry import configured
from tollway.settings import parse

KEY = {"api_key": "sk-1"}


def test_gateways_are_found_by_what_they_are() -> None:
    found = configured(parse({"providers": {"mine": {"kind": "openrouter", **KEY}, "vercel": KEY, "openai": KEY}}))
    places = gateway_places(found)
    assert {name: place.id for name, place in places.items()} == {"openrouter": "mine", "vercel": "vercel"}
    before, rest = places["openrouter"].head
    assert before == b"GET /api/v1"
    assert b"Authorization: Bearer sk-1\r\n" in rest
    assert b"X-Title: Tollway\r\n" in rest
    assert fed_providers(found) == {"mine"}


def test_the_first_of_a_kind_is_read_and_one_without_a_key_is_not() -> None:
    openrouter = {"kind": "openrouter", **KEY}
    found = configured(parse({"providers": {"a": openrouter, "b": openrouter, "vercel": {}}}))
    assert {name: place.id for name, place in gateway_places(found).items()} == {"openrouter": "a"}
    assert fed_providers(found) == {"a", "b"}


def test_a_gateway_elsewhere_is_not_at_home() -> None:
    assert not are_at_home(())
    home = configured(parse({"providers": {"openrouter": KEY}}))
    away = configured(parse({"providers": {"openrouter": {**KEY, "base_url": "http://127.0.0.1:1/v1"}, "vercel": KEY}}))
    assert are_at_home(gateway_places(home).values())
    assert not are_at_home(gateway_places(away).values())
    assert gateway_places(away)["openrouter"].head[0] == b"GET /v1"
