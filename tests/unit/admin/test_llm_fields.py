from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tollway.admin.llm_fields import (
    TOOL_CHARS_MAX,
    TOOLS_MAX,
    check_llm,
    check_llm_key,
    check_public_id,
    is_elsewhere,
)
from tollway.admin.llm_records import LlmFields
from tollway.errors import Problem

FIELDS = LlmFields("Claude", "anthropic", "https://a.example/v1", "claude-x")


@given(some.text(max_size=40))
def test_what_is_accepted_is_accepted_as_it_is_stored(text: str) -> None:
    """Once more changes nothing."""
    for check in (check_llm_key, lambda one: check_public_id("in/", one)):
        once = check(text)
        assert isinstance(once, Problem) or check(once) == once
    fields = check_llm(replace(FIELDS, display_name=text, internal_id=text))
    assert isinstance(fields, Problem) or check_llm(fields) == fields


@given(some.sampled_from(["in/", "", "kilo-internal/"]), some.text(max_size=20))
def test_an_id_begins_with_its_prefix_and_has_more(prefix: str, text: str) -> None:
    id_ = check_public_id(prefix, prefix + text)
    if isinstance(id_, str):
        assert id_.startswith(prefix)
        assert len(id_) > len(prefix)
        assert id_ == id_.lower().strip()


@pytest.mark.parametrize(
    ("tools", "accepted"),
    [
        (None, True),
        ((), True),
        (("read", "write"), True),
        (("x" * TOOL_CHARS_MAX,) * TOOLS_MAX, True),
        (("x",) * (TOOLS_MAX + 1), False),
        (("x" * (TOOL_CHARS_MAX + 1),), False),
        (("",), False),
        (("a\0b",), False),  # which PostgreSQL does not store
    ],
)
@pytest.mark.parametrize("name", ["included_tools", "excluded_tools"])
def test_tools_are_names(name: str, tools: tuple[str, ...] | None, accepted: bool) -> None:
    fields = replace(FIELDS, **{name: tools})
    checked = check_llm(fields)
    assert (checked == fields) is accepted
    if not accepted:
        assert isinstance(checked, Problem)
        assert str(checked.shown).startswith(f"{name}: ")


@pytest.mark.parametrize(
    ("address", "elsewhere"),
    [
        ("https://a.example/v2", False),
        ("https://a.example:443", False),
        ("https://A.EXAMPLE/v1", False),
        ("https://a.example:8443/v1", True),
        ("http://a.example/v1", True),
        ("https://b.example/v1", True),
        ("https://a.example.b.example/v1", True),
    ],
)
def test_a_place_is_scheme_host_and_port(address: str, elsewhere: bool) -> None:
    assert is_elsewhere(FIELDS, replace(FIELDS, base_url=address)) is elsewhere
