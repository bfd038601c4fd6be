"""What a model asks of the tool `read`, and what it gets."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.client.read_tool import CHARACTERS_MAX, DEFINITION, LINES_MAX, ReadCall, excerpt, read_call


def test_arguments() -> None:
    assert read_call('{"path":"a"}') == ReadCall("a")
    assert read_call('{"path":"a","offset":3,"more":1}') == ReadCall("a", 3)


@pytest.mark.parametrize(
    "arguments",
    [
        *("", "{", "[]", "{}", '{"path":""}', '{"path":7}', '{"path":"a\\u0000"}', '{"path":"a","offset":0}'),
        *('{"path":"a","offset":true}', '{"path":"a","offset":"1"}', json.dumps({"path": "a" * 5000})),
    ],
)
def test_wrong_arguments_are_told_to_the_model(arguments: str) -> None:
    told = read_call(arguments)
    assert isinstance(told, str)
    assert told.startswith("Error: ")


@given(st.text())
def test_no_argument_raises(arguments: str) -> None:
    read_call(arguments)


def test_long_files_are_cut_and_it_is_said() -> None:
    lines = [f"{number}\n" for number in range(1, LINES_MAX + 11)]
    data = "".join(lines).encode()
    assert excerpt(data, 1).endswith(f"[lines 1 to {LINES_MAX} of {LINES_MAX + 10}]")
    assert excerpt(data, 11) == "".join(lines[10:])
    assert excerpt(data, LINES_MAX + 11).startswith("Error: ")
    assert excerpt(b"x" * (CHARACTERS_MAX + 1), 1).endswith("characters]")
    assert excerpt(b"", 1) == ""
    assert excerpt(b"\xff", 1) == "Error: this is not a text file."


def test_the_definition_is_a_schema_of_one_path() -> None:
    assert DEFINITION["function"]["parameters"]["required"] == ["path"]
