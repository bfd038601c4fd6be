from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.wire.dialects.anthropic_usage import AnthropicUsage, anthropic_usage
from tollway.wire.usage import Usage

COUNTS = st.integers(0, 10**6)


def fold(*objects: Any) -> Usage | None:
    folded = AnthropicUsage()
    for one in objects:
        folded.read(one)
    return folded.usage


@pytest.mark.parametrize(
    ("objects", "expected"),
    [
        ((), None),
        ((None, "x", {}), None),
        (({"input_tokens": 10, "cache_creation_input_tokens": 5, "cache_read_input_tokens": 20},), Usage(35, 0, 20, 5)),
        (({"input_tokens": 10, "output_tokens": 1}, {"output_tokens": 42}), Usage(10, 42)),
        (({"input_tokens": 10}, {"input_tokens": None, "output_tokens": 2.0}), Usage(10, 2)),
        (({"input_tokens": 10, "output_tokens": -1},), None),
        (({"input_tokens": True},), None),
        (({"input_tokens": "1"},), None),
        (({"input_tokens": 10**13},), None),
        (({"output_tokens": -1}, {"output_tokens": 3}), Usage(0, 3)),
        (({"input_tokens": 1, "cache_read_input_tokens": -5},), Usage(1, 0)),
        (
            (
                {
                    "input_tokens": 1,
                    "output_tokens": 1,
                    "iterations": [{"input_tokens": 3, "output_tokens": 4}, {"input_tokens": 2}],
                },
            ),
            Usage(5, 4),
        ),
        (({"input_tokens": 1, "iterations": [None]},), None),
        (({"input_tokens": 1, "iterations": []},), Usage(1, 0)),
    ],
)
def test_what_is_reported(objects: tuple[Any, ...], expected: Usage | None) -> None:
    assert fold(*objects) == expected


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_counts_survive_the_way_there_and_back(plain: int, read: int, written: int, completion: int) -> None:
    usage = Usage(plain + read + written, completion, read, written)
    assert fold(anthropic_usage(usage)) == usage
