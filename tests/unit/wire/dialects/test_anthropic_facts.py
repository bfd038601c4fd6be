import pytest

from tollway.storage.presets import load_preset
from tollway.wire.dialects.anthropic_facts import AnthropicFacts, OutputLimit

KILO = load_preset("kilo").anthropic


@pytest.mark.parametrize(
    ("model", "most", "is_strict"),
    [
        ("claude-opus-4-6", 128_000, True),
        ("claude-sonnet-4-5-20250929", 64_000, True),
        ("us.anthropic.claude-opus-4-5-v1", 64_000, True),
        ("claude-haiku-4-5", 64_000, True),
        ("claude-sonnet-4-20250514", 64_000, False),
        ("claude-3-7-sonnet-latest", 64_000, False),
        ("claude-opus-4-1", 32_000, True),
        ("claude-opus-4-20250514", 32_000, False),
        ("claude-3-5-haiku-x", 8_192, False),
        ("claude-3-haiku", 4_096, False),
        ("some-model", None, False),
    ],
)
def test_what_the_preset_says(model: str, most: int | None, is_strict: bool) -> None:
    assert (KILO.output_limit(model), KILO.has_structured_output(model)) == (most, is_strict)
    assert KILO.betas.always == ("context-1m-2025-08-07",)


def test_the_first_that_fits_counts() -> None:
    facts = AnthropicFacts((OutputLimit("a-b", 2), OutputLimit("a", 1)))
    assert [facts.output_limit(model) for model in ("a-b", "a-c", "x")] == [2, 1, None]


def test_without_a_preset_nothing_is_known() -> None:
    facts = AnthropicFacts()
    assert facts.output_limit("claude-opus-4-6") is None
    assert facts.completion_tokens_default == 4_096
    assert facts.betas.always == ()
