import pytest

from tollway.providers.rule import HEADER_CHARS_MAX, Draft, header_text


def test_a_draft_is_not_edited() -> None:
    draft = Draft({"a": 1}, {"x-a": "1"})
    assert draft.with_body(draft.body) is draft
    assert draft.with_body({"b": 1}) == Draft({"b": 1}, {"x-a": "1"})
    assert draft.with_members(a=2, b=3) == Draft({"a": 2, "b": 3}, {"x-a": "1"})
    assert draft.with_headers({"x-a": "2", "x-b": "3"}) == Draft({"a": 1}, {"x-a": "2", "x-b": "3"})
    assert draft == Draft({"a": 1}, {"x-a": "1"})


def test_drafts_do_not_share_their_headers() -> None:
    Draft({}).headers["x-a"] = "1"
    assert Draft({}).headers == {}


@pytest.mark.parametrize("text", ["abc", "a b/c+d=", "~" * HEADER_CHARS_MAX])
def test_what_may_become_a_header(text: str) -> None:
    assert header_text(text) == text


@pytest.mark.parametrize(
    "value", ["", None, 5, True, ["a"], {}, "a\r\nx-evil: 1", "a\n", "\x00", "\x7f", "ä", "~" * (HEADER_CHARS_MAX + 1)]
)
def test_what_may_not(value: object) -> None:
    assert header_text(value) == ""


def test_blanks_around_a_header_say_nothing() -> None:
    assert header_text("  a b ") == "a b"
    assert header_text("   ") == ""
