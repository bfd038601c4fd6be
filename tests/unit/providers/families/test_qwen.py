from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.providers.families.qwen import COMPLETION_TOKENS_MAX, cap_completion
from tollway.providers.rule import Draft
from unit.providers.attempts import attempt

LIMITS = st.integers(0, 100_000) | st.floats(0, 100_000) | st.none()


@given(st.dictionaries(st.sampled_from(["max_tokens", "max_completion_tokens", "seed"]), LIMITS))
def test_nothing_is_ever_raised(body: dict[str, Any]) -> None:
    before = dict(body)
    draft = Draft(body)
    sent = cap_completion(draft, attempt())
    assert body == before
    assert sent.body.keys() == body.keys()
    for name, value in sent.body.items():
        over = name != "seed" and body[name] is not None and body[name] > COMPLETION_TOKENS_MAX
        assert value == (COMPLETION_TOKENS_MAX if over else body[name])
    assert cap_completion(sent, attempt()) is sent
    assert (sent is draft) is (sent.body == body)


@pytest.mark.parametrize("limit", [True, "50000", [50_000]])
def test_only_numbers_are_capped(limit: Any) -> None:
    draft = Draft({"max_tokens": limit})
    assert cap_completion(draft, attempt()) is draft
