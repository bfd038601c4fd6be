import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.observed import metric
from tollway.observability.api_metrics import ApiMetric, Tokens, encode_metric
from tollway.observability.received import read_struct

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=9)
counts = st.integers(0, 2**53 - 1)
maybe = counts | st.none()
metrics = st.builds(
    ApiMetric,
    user_id=texts,
    is_anonymous=st.booleans(),
    is_streaming=st.booleans(),
    user_byok=st.booleans(),
    provider=texts,
    requested_model=texts,
    resolved_model=texts,
    tools_available=st.lists(texts, max_size=3).map(tuple),
    tools_used=st.lists(texts, max_size=3).map(tuple),
    ttfb_ms=counts,
    complete_request_ms=counts,
    status_code=st.integers(100, 599),
    organization_id=texts | st.none(),
    mode=texts | st.none(),
    inference_provider=texts | st.just(""),
    tokens=st.builds(Tokens, maybe, maybe, maybe, maybe, maybe) | st.none(),
)


@given(metrics)
def test_what_one_sends_the_other_reads(one: ApiMetric) -> None:
    assert read_struct(encode_metric(one), ApiMetric) == one


def test_the_names_on_the_wire() -> None:
    sent = json.loads(encode_metric(metric(mode="plan", organization_id="acme", tokens=Tokens(1, 2, 3, 4, 5))))
    assert sent == {
        "kiloUserId": "user-1",
        "isAnonymous": False,
        "isStreaming": True,
        "userByok": False,
        "provider": "openai",
        "requestedModel": "anthropic/claude-sonnet-4.5",
        "resolvedModel": "anthropic/claude-sonnet-4.5",
        "toolsAvailable": [],
        "toolsUsed": [],
        "ttfbMs": 45,
        "completeRequestMs": 123,
        "statusCode": 200,
        "organizationId": "acme",
        "mode": "plan",
        "tokens": {
            "inputTokens": 1,
            "outputTokens": 2,
            "cacheWriteTokens": 3,
            "cacheHitTokens": 4,
            "totalTokens": 5,
        },
    }


@pytest.mark.parametrize(("status", "is_error"), [(200, False), (399, False), (400, True), (599, True)])
def test_errors_begin_at_400(status: int, is_error: bool) -> None:
    assert metric(status).is_error is is_error
