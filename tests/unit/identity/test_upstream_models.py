"""What owners say about the models of their endpoints."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.identity.upstream_models import UpstreamModel, read_models

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["models", "id", "name"]), inner),
    max_leaves=10,
)


@given(json_values)
def test_anything_can_be_read(metadata: object) -> None:
    ids = [model.id.lower() for model in read_models(metadata)]
    assert len(set(ids)) == len(ids)
    assert all(id_.strip() for id_ in ids)


def test_usable_entries_are_read_and_others_skipped() -> None:
    models = [
        {"id": "M1", "name": "One", "supportsVision": True, "context_length": 10, "max_completion_tokens": 5},
        {"id": ""},
        {"id": "m1", "name": "again"},
        "m3",
        {"id": "m2", "name": 7, "supportsReasoning": True, "context_length": True, "max_completion_tokens": -1},
        {"id": "x" * 201},
    ]
    assert read_models({"models": models}) == (
        UpstreamModel("M1", "One", supports_vision=True, context_length=10, completion_tokens_max=5),
        UpstreamModel("m2", "m2", supports_reasoning=True),
    )


@pytest.mark.parametrize("metadata", [{}, {"models": None}, {"models": {"id": "a"}}, None, []])
def test_without_a_list_there_are_none(metadata: object) -> None:
    assert read_models(metadata) == ()
