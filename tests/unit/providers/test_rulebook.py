import pytest

from tollway.catalog.model import FREE, Offer
from tollway.catalog.preset import Preset
from tollway.providers import rulebook
from tollway.providers.rulebook import Rulebook
from unit.providers.attempts import KILO, PROVIDERS

OPENROUTER = PROVIDERS["openrouter"]


def test_it_is_looked_up_once() -> None:
    book = Rulebook(KILO)
    offer = Offer("openrouter", "x-ai/grok-4", FREE)
    assert book.recipe("x-ai/grok-4", offer, OPENROUTER) is book.recipe("x-ai/grok-4", offer, OPENROUTER)


def test_models_upstream_ids_and_providers_are_told_apart() -> None:
    book = Rulebook(KILO)
    one = book.recipe("x-ai/grok-4", Offer("openrouter", "x-ai/grok-4", FREE), OPENROUTER)
    assert (one.target.model, one.target.provider_id, one.target.is_renamed) == ("x-ai/grok-4", "openrouter", False)
    other = book.recipe("mistralai/x", Offer("openrouter", "x-ai/grok-4", FREE), OPENROUTER)
    assert (other.target.model, other.target.is_renamed) == ("mistralai/x", True)
    renamed = book.recipe("x-ai/grok-4", Offer("openrouter", "grok", FREE), OPENROUTER)
    assert renamed.target.is_renamed
    again = book.recipe("x-ai/grok-4", Offer("second", "x-ai/grok-4", FREE), PROVIDERS["vercel"])
    assert again.target.provider_id == "vercel"


def test_what_the_preset_says() -> None:
    book = Rulebook(KILO)
    codestral = book.recipe("mistralai/codestral-2508", Offer("v", "mistralai/codestral-2508", FREE), OPENROUTER).target
    assert (codestral.second_gateway_id, codestral.inference_order) == ("mistral/codestral", ("mistral",))
    potato = book.recipe("giga-potato", Offer("g", "giga-potato", FREE), PROVIDERS["gigapotato"]).target
    assert potato.hosted
    assert potato.hosted.internal_id == "ep-20260109111813-hztxv"


def test_the_longest_prefix_counts() -> None:
    order = {"a/": ("short",), "a/b-": ("long",), "": ("any",)}
    book = Rulebook(Preset(inference_order=order))

    def found(model: str) -> tuple[str, ...]:
        return book.recipe(model, Offer("o", model, FREE), OPENROUTER).target.inference_order

    assert (found("a/b-c"), found("a/x"), found("z/x")) == (("long",), ("short",), ("any",))


def test_most_requests_stay_as_they_are() -> None:
    plain = PROVIDERS["martian"]
    assert Rulebook(KILO).recipe("deepseek/v3", Offer("martian", "deepseek/v3", FREE), plain).rules == ()
    neutral = Rulebook(Preset())
    assert neutral.recipe("minimax/m", Offer("martian", "minimax/m", FREE), plain).rules == ()


def test_memory_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rulebook, "TARGETS_MAX", 2)
    book = Rulebook(KILO)
    for number in range(7):
        book.recipe(f"a/{number}", Offer("o", f"a/{number}", FREE), OPENROUTER)
        assert len(book._recipes) <= 2
