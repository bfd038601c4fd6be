import pytest

from tollway.providers.dialect import ask_for_cost, least_reasoning, without_stray_stream_options
from tollway.providers.rule import Draft
from unit.providers.attempts import attempt


def test_stream_options_stay_with_a_stream() -> None:
    draft = Draft({"model": "m", "stream": True, "stream_options": {"include_usage": True}})
    assert without_stray_stream_options(draft, attempt(stream=True)) is draft


def test_without_a_stream_they_go() -> None:
    draft = Draft({"model": "m", "stream_options": {"include_usage": True}})
    assert without_stray_stream_options(draft, attempt()).body == {"model": "m"}
    assert "stream_options" in draft.body
    plain = Draft({"model": "m"})
    assert without_stray_stream_options(plain, attempt()) is plain


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({}, {"include": True}),
        ({"usage": None}, {"include": True}),
        ({"usage": "x"}, {"include": True}),
        ({"usage": {"include": False, "other": 1}}, {"include": True, "other": 1}),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
def test_cost_is_always_asked_for(given: dict[str, object], sent: dict[str, object], stream: bool) -> None:
    body = {"model": "m", **given}
    assert ask_for_cost(Draft(body), attempt(stream=stream)).body == {"model": "m", "usage": sent}
    assert body == {"model": "m", **given}


@pytest.mark.parametrize(
    ("model", "reasoning"),
    [
        ("google/gemini-3-flash", {"enabled": False}),
        ("vertex/Google-x", {"enabled": False}),
        ("openai/gpt-5-mini", {"effort": "minimal"}),
        ("anthropic/claude-haiku-4.5", {"effort": "minimal"}),
    ],
)
def test_titles_need_no_thought(model: str, reasoning: dict[str, object]) -> None:
    """Source: catalog-and-clients C.9.4."""
    assert least_reasoning(model) == reasoning
