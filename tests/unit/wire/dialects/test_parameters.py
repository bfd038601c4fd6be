from typing import Any

import pytest

from tollway.wire.dialects.parameters import ModelOptions, Parameters, read_parameters

ROW = ModelOptions("public", "internal", verbosity="low", reasoning_effort="high")
PLAIN = ModelOptions("public", "internal")


def test_nothing_said() -> None:
    assert read_parameters({}, PLAIN) == Parameters()


def test_the_row_stands_in() -> None:
    found = read_parameters({}, ROW)
    assert (found.verbosity, found.reasoning_effort) == ("low", "high")


def test_the_caller_comes_first() -> None:
    found = read_parameters({"verbosity": "max", "reasoning": {"effort": "none"}, "reasoning_effort": "low"}, ROW)
    assert (found.verbosity, found.reasoning_effort) == ("max", "none")


@pytest.mark.parametrize("odd", ["loud", 1, ["high"], {}])
def test_an_unknown_word_hides_the_row(odd: Any) -> None:
    found = read_parameters({"verbosity": odd, "reasoning": {"effort": odd}}, ROW)
    assert (found.verbosity, found.reasoning_effort) == (None, None)


@pytest.mark.parametrize("reasoning", [None, "high", {"effort": None}, {"enabled": True}])
def test_reasoning_without_an_effort(reasoning: Any) -> None:
    assert read_parameters({"reasoning": reasoning}, ROW).reasoning_effort == "high"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"max_completion_tokens": 5, "max_tokens": 9}, 5),
        ({"max_completion_tokens": None, "max_tokens": 9.0}, 9),
        ({"max_completion_tokens": 0, "max_tokens": 9}, 0),
        ({"max_tokens": True}, None),
        ({}, None),
    ],
)
def test_the_most_that_is_written(body: dict[str, Any], expected: int | None) -> None:
    assert read_parameters(body, PLAIN).completion_tokens_max == expected


@pytest.mark.parametrize(("value", "expected"), [(0.5, 0.5), (1, 1), (0, 0), ("1", None), (True, None), (None, None)])
def test_temperature(value: Any, expected: float | None) -> None:
    assert read_parameters({"temperature": value}, PLAIN).temperature == expected


@pytest.mark.parametrize(
    ("user_agent", "prefix", "asked", "is_legacy", "parallel"),
    [
        ("Kilo-Code/5.1", "Kilo-Code/", None, True, False),
        ("Kilo-Code/5.1", "Kilo-Code/", True, True, False),
        ("kilo-code/5.1", "Kilo-Code/", None, False, True),
        ("Kilo-Code/5.1", "", None, False, True),
        ("curl", "Kilo-Code/", False, False, False),
        ("", "Kilo-Code/", None, False, True),
    ],
)
def test_old_clients(user_agent: str, prefix: str, asked: bool | None, is_legacy: bool, parallel: bool) -> None:
    found = read_parameters({"parallel_tool_calls": asked}, PLAIN, user_agent, prefix)
    assert (found.is_legacy, found.parallel_tool_calls) == (is_legacy, parallel)


def test_streams() -> None:
    assert read_parameters({"stream": True}, PLAIN).stream
    assert not read_parameters({"stream": False}, PLAIN).stream
