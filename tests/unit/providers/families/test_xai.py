from typing import Any
from uuid import UUID

import pytest

from tollway.providers.families.xai import name_conversation
from tollway.providers.rule import Draft
from unit.providers.attempts import attempt


@pytest.mark.parametrize("key", [None, "", 5, [], "a\r\nx-evil: 1", "ä", "x" * 10_000])
def test_without_a_fitting_key_every_request_is_a_conversation(key: Any) -> None:
    draft = Draft({"prompt_cache_key": key})
    named = name_conversation(draft, attempt())
    assert named.body is draft.body
    assert named.headers == {"x-grok-conv-id": str(UUID(int=1)), "x-grok-req-id": str(UUID(int=2))}
