import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.client.errors import ClientError
from tollway.client.jsonc import read_jsonc

texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"))
trees = st.dictionaries(texts, st.recursive(st.none() | st.integers() | texts, st.lists, max_leaves=5))
comments = st.text(st.sampled_from('ab"{[,:'), max_size=5).map(lambda text: f"// {text}\n") | st.sampled_from(
    ["/* a // b */", '/* "x": 1, \n */', " ", "\n"]
)


@given(trees, comments)
def test_comments_and_trailing_commas_change_nothing(tree: dict[str, object], comment: str) -> None:
    """Strings that look like comments or trailing commas stay as they are."""
    members = [f"{json.dumps(name)}:{comment}{json.dumps(value)}" for name, value in tree.items()]
    text = "{" + comment + f",{comment}".join(members) + (f",{comment}" if members else "") + "}" + comment
    assert read_jsonc(text, "f") == tree


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('{\n  "a": nope\n}', "f:2:8"),
        ('{ // x\n /* y\n */ "a" 1}', "f:3:9"),
        ('{"a": 1,, "b": 2}', "f:1:9"),
        ("[]", "f:1:1"),
        ('{"a": "x', "f:1:7"),
        ("{/* no end", "f:1:2"),
    ],
)
def test_a_mistake_is_found_at_its_place(text: str, where: str) -> None:
    with pytest.raises(ClientError) as caught:
        read_jsonc(text, "f")
    assert str(caught.value).startswith(f"{where}: ")


def test_an_empty_file_says_nothing() -> None:
    assert read_jsonc("\ufeff // only words\n", "f") == {}
