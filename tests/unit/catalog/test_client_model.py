import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.catalog.client_model import (
    ClientModel,
    ConfiguredModelError,
    Cost,
    Limit,
    as_json,
    as_pretty_json,
    with_configured,
)

LIVE = ClientModel(id="a/b", name="B", cost=Cost(input=Decimal(3), output=Decimal(15)), limit=Limit(100, 10))
FIELDS = {"limit": {"context": 7}, "cost": {"input": 1.5}, "options": {"provider": {"order": ["x"]}}}


def test_a_user_s_words_lie_over_a_live_model_field_by_field() -> None:
    found = with_configured({"a/b": LIVE}, {"a/b": FIELDS})["a/b"]
    assert (found.name, found.limit, found.cost.input, found.cost.output) == ("B", Limit(7, 10), Decimal("1.5"), 15)
    assert found.options == {"provider": {"order": ["x"]}}
    assert with_configured({"a/b": LIVE}, {}) == {"a/b": LIVE}


def test_a_model_that_only_the_user_lists_is_added_last() -> None:
    found = with_configured({"a/b": LIVE}, {"c/d": {"name": "D", "id": "other"}})
    assert list(found) == ["a/b", "c/d"]
    assert (found["c/d"].id, found["c/d"].name, found["c/d"].limit) == ("c/d", "D", Limit())


@given(st.dictionaries(st.sampled_from(["a/b", "c/d"]), st.just(FIELDS)))
def test_saying_it_twice_says_no_more(configured: dict[str, dict[str, object]]) -> None:
    once = with_configured({"a/b": LIVE}, configured)
    assert with_configured(once, configured) == once


def test_what_does_not_fit_is_named_and_not_quoted() -> None:
    with pytest.raises(ConfiguredModelError, match=r"models\.a/b: .*limit\.context") as caught:
        with_configured({"a/b": LIVE}, {"a/b": {"limit": {"context": "secret-looking"}}})
    assert "secret-looking" not in str(caught.value)


def test_an_unknown_price_is_left_out_of_the_json() -> None:
    record = json.loads(as_json(ClientModel(id="a", name="a", cost=Cost(input=Decimal("0.3")))))
    assert record["cost"] == {"input": 0.3}
    assert "variants" not in record
    assert b'"input":0.3' in as_json(ClientModel(id="a", name="a", cost=Cost(input=Decimal("0.3"))))
    assert json.loads(as_pretty_json(LIVE)) == json.loads(as_json(LIVE))
    assert as_pretty_json(LIVE).startswith('{\n  "id"')
