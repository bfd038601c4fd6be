from typing import Any

import pytest

from servers.feeds import model
from tollway.catalog.wellformed import is_wellformed


def test_what_clients_expect_is_well() -> None:
    assert is_wellformed(model("a/b"))
    assert is_wellformed({"id": "a", "name": "A", "context_length": 1, "pricing": {"prompt": "0", "completion": "0"}})


@pytest.mark.parametrize(
    "change",
    [
        {"id": 5},
        {"id": ""},
        {"name": None},
        {"name": ""},
        {"context_length": 0},
        {"context_length": "128000"},
        {"context_length": 1.5},
        {"pricing": {"prompt": 0.1, "completion": "0"}},
        {"pricing": {"prompt": "0"}},
        {"pricing": None},
        {"supported_parameters": "tools"},
        {"supported_parameters": [1]},
        {"architecture": {"input_modalities": "text", "output_modalities": []}},
        {"settings": {"included_tools": []}},
        {"object": "thing"},
        {"created": "yesterday"},
    ],
)
def test_one_wrong_field_is_enough(change: dict[str, Any]) -> None:
    assert not is_wellformed({**model("a/b"), **change})


@pytest.mark.parametrize("name", ["id", "name", "context_length", "pricing"])
def test_nothing_that_is_promised_may_be_missing(name: str) -> None:
    assert not is_wellformed({key: value for key, value in model("a/b").items() if key != name})
