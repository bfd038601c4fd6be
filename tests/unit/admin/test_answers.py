import pytest

from tollway.admin.answers import Answer, Asked, asked
from tollway.errors import Problem


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb", "ä"])
def test_a_key_is_printable_ascii(now, key: str) -> None:
    assert isinstance(asked("ann", "POST /keys", key, b"", now), Problem)


def test_one_key_of_two_users_or_routes_is_two(now) -> None:
    ones = [asked(user, route, "k", b"{}", now) for user in ("ann", "bob") for route in ("POST /a", "POST /b")]
    assert all(isinstance(one, Asked) for one in ones)
    assert len({(one.scope, one.key_hash) for one in ones if isinstance(one, Asked)}) == 4


def test_what_is_shown_of_an_answer_is_not_its_text(now) -> None:
    assert "tw_live" not in repr(Answer(200, "tw_live_secret"))
