import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.catalog.endpoints import MODELS_MAX, TAGS_MAX, EndpointsError, read_endpoints

TAG = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=20)


def recorded(endpoints: dict[str, Any]) -> bytes:
    return json.dumps(endpoints).encode()


def test_tags_of_the_recorded_form() -> None:
    """With whatever else the gateway tells, and endpoints that have no tag."""
    text = recorded(
        {
            "anthropic/Claude-Sonnet-4.6": {
                "id": "anthropic/claude-sonnet-4.6",
                "endpoints": [{"tag": "anthropic", "context_length": 5}, {"provider_name": "x"}, {"tag": "bedrock"}],
            },
            "none/at-all": {"endpoints": []},
        }
    )
    assert read_endpoints(text) == {"anthropic/claude-sonnet-4.6": ("anthropic", "bedrock"), "none/at-all": ()}


@given(st.dictionaries(TAG.map(str.lower), st.lists(TAG, max_size=5, unique=True), max_size=5))
def test_order_is_kept(models: dict[str, list[str]]) -> None:
    text = recorded({id_: {"endpoints": [{"tag": tag} for tag in tags]} for id_, tags in models.items()})
    assert {id_: list(tags) for id_, tags in read_endpoints(text).items()} == {
        id_.strip().lower(): tags for id_, tags in models.items()
    }


def test_a_tag_counts_once() -> None:
    assert read_endpoints(recorded({"m": {"endpoints": [{"tag": "a"}, {"tag": "b"}, {"tag": "a"}]}})) == {
        "m": ("a", "b")
    }


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b'{"m": []}',
        b'{"m": {}}',
        b'{"m": {"endpoints": [{"tag": 1}]}}',
        recorded({" ": {"endpoints": []}}),
        recorded({"m\n": {"endpoints": []}}),
        recorded({"m": {"endpoints": [{"tag": "a\0"}]}}),
        recorded({"m": {"endpoints": [{"tag": "a" * 257}]}}),
        recorded({"m": {"endpoints": [{"tag": str(number)} for number in range(TAGS_MAX + 1)]}}),
        recorded({str(number): {"endpoints": []} for number in range(MODELS_MAX + 1)}),
    ],
    ids=lambda text: text[:20],
)
def test_what_is_no_list(text: bytes) -> None:
    with pytest.raises(EndpointsError):
        read_endpoints(text)
