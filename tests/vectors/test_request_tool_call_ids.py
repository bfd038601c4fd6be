"""Vectors of request-path, "Tool-call ids"."""

import pytest

from tollway.wire.tool_call_ids import MISTRAL_ID_CHARS, has_dot, has_other_length, normalise_tool_call_ids

RULES = {"Anthropic": (has_dot, None), "Mistral": (has_other_length, MISTRAL_ID_CHARS)}


@pytest.mark.parametrize(
    ("family", "ids"),
    [
        pytest.param(
            "Anthropic",
            {"toolu_01.abc": "2a67f0bdf9058a67087f6f0ba2116ce6553a43a134d0b5618f18db66847ffd4a"},
            id="request:TI1",
        ),
        pytest.param(
            "Anthropic",
            {"call.1": "e8b7b7b3793f991dd79d37cbf2fd785d18c946a18a1f1cd92454fd4a5958ef14"},
            id="request:TI2",
        ),
        pytest.param("Anthropic", {"call_abc123": "call_abc123"}, id="request:TI3"),
        pytest.param("Mistral", {"call_abc123": "3d62e741f"}, id="request:TI4"),
        pytest.param("Mistral", {"functions.read_file:0": "f9cc2c782"}, id="request:TI5"),
        pytest.param("Mistral", {"a": "ca978112c", "": "e3b0c4429"}, id="request:TI6"),
        pytest.param("Mistral", {"abc123XYZ": "abc123XYZ"}, id="request:TI7"),
        pytest.param("Mistral", {"call_abc123": "3d62e741f"}, id="request:TI8"),
    ],
)
def test_ids(family: str, ids: dict[str, str]) -> None:
    """In a call and in its result alike."""
    applies, digits = RULES[family]
    for given, expected in ids.items():
        messages = [
            {"role": "assistant", "tool_calls": [{"id": given, "type": "function"}]},
            {"role": "tool", "tool_call_id": given, "content": "x"},
        ]
        call, result = normalise_tool_call_ids(messages, applies, digits)
        assert (call["tool_calls"][0]["id"], result["tool_call_id"]) == (expected, expected)
