from typing import Any

import pytest

from tollway.wire.dialects.chat_answer import error_of, first_choice, reasoning_of, usage_of
from tollway.wire.dialects.details import ENCRYPTED, TEXT, Detail
from tollway.wire.dialects.provider_error import ProviderError
from tollway.wire.usage import Usage


@pytest.mark.parametrize(
    ("choices", "first"),
    [
        (None, None),
        ([], None),
        ([None, {"a": 1}], {"a": 1}),
        ([{"index": 1}, {"index": 0}], {"index": 0}),
        ([{"index": 1}], None),
    ],
)
def test_the_first_choice(choices: Any, first: Any) -> None:
    assert first_choice({"choices": choices}) == first


SEALED = {"type": ENCRYPTED, "data": "E"}


@pytest.mark.parametrize(
    ("holder", "details"),
    [
        ({}, []),
        ({"reasoning": "a", "reasoning_details": [{"type": TEXT, "text": "b"}]}, [Detail(TEXT, "b")]),
        ({"reasoning": "a", "reasoning_details": [SEALED]}, [Detail(TEXT, "a"), Detail(ENCRYPTED, "E")]),
        ({"reasoning_content": "a"}, [Detail(TEXT, "a")]),
        ({"reasoning": 5}, []),
    ],
)
def test_reasoning(holder: dict[str, Any], details: list[Detail]) -> None:
    assert reasoning_of(holder) == details


def test_usage() -> None:
    assert usage_of({"usage": {"prompt_tokens": 1, "completion_tokens": 2}}) == Usage(1, 2)
    assert usage_of({"usage": None}) is None
    assert usage_of({"usage": {"prompt_tokens": -1}}) is None


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (None, None),
        ({}, None),
        ({"message": "Wait.", "code": 429}, ProviderError("Wait.", 429)),
        ({"message": "Wait.", "code": "upstream_timeout"}, ProviderError("Wait.", 500)),
        ({"message": "Wait.", "code": 200}, ProviderError("Wait.", 500)),
        ({"code": 503}, ProviderError("Service Unavailable", 503)),
        ("Bad.", ProviderError("Bad.", 500)),
    ],
)
def test_errors(error: Any, expected: ProviderError | None) -> None:
    assert error_of({"error": error}) == expected
