"""Sessions as text, and what of a conversation can be gone on with."""

import pytest

from tollway.client.errors import ClientError
from tollway.client.session import Session, is_session_id, read_session, session_id_of, title_of, write_session

ID = session_id_of("01234567-89ab-cdef-0123-456789abcdef")
SESSION = Session(ID, "/work", "p/m", "Title", 1, 2, [{"role": "user", "content": "hi"}])
CALL = {"role": "assistant", "tool_calls": [{"id": "1"}, {"id": "2"}]}


def test_what_is_written_is_read() -> None:
    assert read_session(write_session(SESSION), "f") == SESSION
    assert repr(SESSION) == f"Session('{ID}')"


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b'{"id":1}', b"[" * 5000])
def test_another_file_is_named(data: bytes) -> None:
    with pytest.raises(ClientError, match="ses_x"):
        read_session(data, "ses_x")


@pytest.mark.parametrize("text", ["", "ses_", "../x", f"{ID}/..", f"{ID}\n", ID.upper()])
def test_what_never_becomes_the_name_of_a_file(text: str) -> None:
    assert not is_session_id(text)
    assert is_session_id(ID)


def test_a_fork_leaves_the_first_alone() -> None:
    forked = SESSION.forked("ses_other", 9)
    assert (forked.id, forked.created_at, forked.messages) == ("ses_other", 9, SESSION.messages)
    assert SESSION.id == ID


def test_calls_without_all_their_results_are_left_out() -> None:
    user = {"role": "user", "content": "hi"}
    result = {"role": "tool", "content": "x"}
    assert SESSION.with_messages([user, CALL, result], "m", 3).messages == [user]
    assert SESSION.with_messages([user, CALL, result, result], "m", 3).messages == [user, CALL, result, result]


def test_a_title() -> None:
    assert title_of("\n  one \ntwo") == "one"
    assert len(title_of("x" * 100)) == 60
    assert title_of("") == ""
