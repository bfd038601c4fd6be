import copy
from typing import Any

import pytest

from tollway.providers.families.google import plain_line_ranges, rules
from tollway.providers.rule import Draft, Target
from tollway.providers.tool_choice import require_tool
from unit.providers.attempts import attempt


def reading(line_ranges: Any, name: str = "read_file", kind: str = "function") -> dict[str, Any]:
    files = {"items": {"properties": {"line_ranges": line_ranges}}}
    return {"type": kind, "function": {"name": name, "parameters": {"properties": {"files": files}}}}


RANGES = {"type": ["array", "null"], "items": {"type": "integer"}}


@pytest.mark.parametrize(
    "tool",
    [
        reading({"type": "array"}),
        reading({"items": {}}),
        reading("x"),
        reading(None),
        reading(RANGES, name="read_files"),
        reading(RANGES, kind="custom"),
        {"type": "function", "function": {"name": "read_file"}},
        {"type": "function", "function": {"name": "read_file", "parameters": {"properties": []}}},
        {},
        "read_file",
    ],
)
def test_what_stays(tool: Any) -> None:
    draft = Draft({"tools": [tool]})
    assert plain_line_ranges(draft, attempt()) is draft


def test_every_such_tool_is_changed_once() -> None:
    body = {"tools": [reading(RANGES), {"type": "function"}, reading(RANGES)]}
    before = copy.deepcopy(body)
    once = plain_line_ranges(Draft(body), attempt())
    plain = reading({"anyOf": [{"type": "null"}, {"type": "array", "items": {"type": "integer"}}]})
    assert once.body == {"tools": [plain, {"type": "function"}, plain]}
    assert body == before
    assert plain_line_ranges(once, attempt()) is once


def test_for_whom() -> None:
    assert rules(Target("google/gemma-3", "vercel")) == ()
    assert rules(Target("google/gemini-3", "openrouter")) == (require_tool,)
    assert rules(Target("google/gemini-3", "vercel")) == (require_tool, plain_line_ranges)
