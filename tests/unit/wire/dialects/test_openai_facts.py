import pytest

from tollway.storage.presets import load_preset
from tollway.wire.dialects.openai_facts import OpenAIFacts

KILO = load_preset("kilo").openai


@pytest.mark.parametrize("model", ["o1", "o1-pro", "o3", "o4-mini", "codex-mini-latest", "gpt-5", "gpt-5.2-codex"])
def test_models_that_reason(model: str) -> None:
    assert KILO.reasons(model)
    assert not OpenAIFacts().reasons(model)


@pytest.mark.parametrize("model", ["gpt-5-chat-latest", "gpt-4o", "o4", "my-o1", ""])
def test_models_that_do_not(model: str) -> None:
    assert not KILO.reasons(model)


@pytest.mark.parametrize(
    ("base_url", "has"),
    [("https://api.openai.com/v1", True), ("https://api.openai.com/v1/", False), ("https://proxy.example/v1", False)],
)
def test_phases(base_url: str, has: bool) -> None:
    assert KILO.has_phases(base_url) is has
    assert not OpenAIFacts().has_phases("")
