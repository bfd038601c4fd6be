import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.identity.email_domains import is_blocked, read_domains


@pytest.mark.parametrize(
    ("text", "domains"),
    [
        ("", ()),
        (" ", ()),
        ("|", ()),
        ("a.com", ("a.com",)),
        ("A.com | b.ORG ||", ("a.com", "b.org")),
    ],
)
def test_entries(text: str, domains: tuple[str, ...]) -> None:
    assert read_domains(text) == domains


@pytest.mark.parametrize("email", ["u@spam.com", "U@SPAM.COM", "u@mail.spam.com", "u@a.b.spam.com"])
def test_blocked(email: str) -> None:
    assert is_blocked(email, ("other.org", "spam.com"))


@pytest.mark.parametrize(
    "email", ["", "spam.com", "spam.com@good.org", "u@notspam.com", "u@spam.com.good", "u@spam.co"]
)
def test_not_blocked(email: str) -> None:
    assert not is_blocked(email, ("other.org", "spam.com"))


@given(st.text(max_size=40))
def test_an_empty_list_blocks_nobody(email: str) -> None:
    assert not is_blocked(email, read_domains(" | "))
