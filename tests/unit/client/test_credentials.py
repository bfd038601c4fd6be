import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.client.credentials import (
    ApiCredential,
    Credentials,
    OauthCredential,
    WellKnownCredential,
    home_of,
    normal_provider_id,
    read_credentials,
    write_credentials,
)
from tollway.client.errors import ClientError

STORE = {
    "fastrouter": {"type": "api", "key": "canary-1", "metadata": {"a": "b"}},
    "tollway": {
        "type": "oauth",
        "refresh": "canary-2",
        "access": "canary-3",
        "expires": 1795167614000,
        "accountId": "org",
        "enterpriseUrl": "https://t.example",
    },
    "corp": {"type": "wellknown", "key": "ENV_NAME", "token": "canary-4"},
}
ids = st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1).filter(
    lambda text: text == text.strip()
)
strange = st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=4) | st.fixed_dictionaries(
    {"type": st.sampled_from(["x", "api"])}
)


def test_every_kind_is_read_and_written_as_it_was() -> None:
    found = read_credentials(json.dumps(STORE), "f")
    assert found.get("fastrouter") == ApiCredential(key="canary-1", metadata={"a": "b"})
    assert isinstance(found.get("tollway"), OauthCredential)
    assert found.get("corp") == WellKnownCredential(key="ENV_NAME", token="canary-4")
    assert json.loads(write_credentials(found)) == STORE
    assert write_credentials(found).startswith('{\n  "fastrouter": {\n    "type": "api"')


@given(st.dictionaries(ids, strange), ids)
def test_what_is_not_understood_is_kept(others: dict[str, object], new_id: str) -> None:
    held = read_credentials(json.dumps(others), "f").with_entry(new_id, ApiCredential(key="k"))
    written = json.loads(write_credentials(held))
    expected = {**others, new_id: {"type": "api", "key": "k"}}
    assert written == expected
    assert json.loads(write_credentials(held.without(new_id))) == {k: v for k, v in others.items() if k != new_id}


@given(st.dictionaries(ids, strange))
def test_writing_is_idempotent(tree: dict[str, object]) -> None:
    once = write_credentials(read_credentials(json.dumps(tree), "f"))
    assert write_credentials(read_credentials(once, "f")) == once


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"canary"', "[" * 100_000])
def test_what_is_no_store_is_an_error_that_quotes_nothing(text: str) -> None:
    with pytest.raises(ClientError, match="the-file: is not a credential store") as caught:
        read_credentials(text, "the-file")
    assert "canary" not in str(caught.value)


def test_ids_lose_slashes_at_their_end() -> None:
    assert normal_provider_id(" https://corp.example// ") == "https://corp.example"
    held = Credentials().with_entry("a/", ApiCredential(key="k"))
    assert held.get("a") == ApiCredential(key="k")
    assert held.without("a/") == Credentials()


def test_nothing_shows_its_secret() -> None:
    found = read_credentials(json.dumps(STORE), "f")
    assert "canary" not in "".join(map(repr, (found, *found.entries.values())))


def test_where_it_may_go() -> None:
    found = read_credentials(json.dumps(STORE), "f")
    assert home_of(found.get("tollway")) == "https://t.example"
    assert home_of(ApiCredential(key="k", metadata={"url": "https://u.example"})) == "https://u.example"
    assert [home_of(one) for one in (found.get("fastrouter"), found.get("corp"), None)] == ["", "", ""]
