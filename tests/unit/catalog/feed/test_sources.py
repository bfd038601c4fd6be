import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.catalog.feed.sources import cards_path, endpoints_path


@pytest.mark.parametrize(
    ("model_id", "path"),
    [
        ("a/b", "/models/a/b/endpoints"),
        ("a/b:free", "/models/a/b:free/endpoints"),
        ("~a/b@1+2", "/models/~a/b@1+2/endpoints"),
        ("a/b%2e", "/models/a/b%252e/endpoints"),
        ('a/"b"<c>', "/models/a/%22b%22%3Cc%3E/endpoints"),
    ],
)
def test_an_id_is_a_path(model_id: str, path: str) -> None:
    assert endpoints_path(model_id) == path


@pytest.mark.parametrize("model_id", ["", "a//b", "/a", "a/", "..", "a/../b", "./a", "a?b", "a#b", "a b", "a\nb", "é"])
def test_an_id_that_leads_elsewhere_is_not_asked_for(model_id: str) -> None:
    assert endpoints_path(model_id) is None


@given(st.text(max_size=20))
def test_no_id_leaves_its_folder_or_breaks_the_request_line(model_id: str) -> None:
    path = endpoints_path(model_id)
    if path is not None:
        assert path.isascii()
        assert not set(path) & set(" ?#\r\n\t")
        assert ".." not in path.split("/")


def test_a_providers_name_is_one_value() -> None:
    assert cards_path("Amazon Bedrock & Co/é") == (
        "/models/find?providers=Amazon%20Bedrock%20%26%20Co%2F%C3%A9&fmt=cards"
    )
