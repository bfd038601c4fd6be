"""What a program says of itself is a stranger's text, and where it is, is nobody's business but its user's."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis.strategies import characters, text

from tollway.admin.device_requesters import (
    AGENT_CHARS_MAX,
    Requester,
    requester_of,
    seal_requester,
    unseal_requester,
)
from tollway.ids import random_bytes

CODE, PEPPER = "ABCD-EFGH", b"pepper"
ASKS = Requester("192.0.2.7", "tollway/1.0")


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (None, None),
        ("", None),
        ("\0\r\n\x7f\x85", None),
        (" tollway/1.0\t", "tollway/1.0"),
        ("a\0b\r\nc\x1b[31md\x9b1me", "abc[31md1me"),
        ("\u202etxt.exe\u2066\ud800", "txt.exe"),
        ("<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"),
        ("x" * 10_240, "x" * AGENT_CHARS_MAX),
        ("\0" * 10_240 + "x", None),
    ],
)
def test_a_user_agent_is_short_and_stays_on_its_line(said: str | None, kept: str | None) -> None:
    assert requester_of("192.0.2.7", said) == Requester("192.0.2.7", kept)


@given(text(characters(exclude_categories=()), max_size=400))
def test_whatever_is_said_can_be_stored_and_shown(said: str) -> None:
    kept = requester_of("", said)
    shown = kept.user_agent or ""
    assert len(shown) <= AGENT_CHARS_MAX
    assert not {unicodedata.category(one) for one in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert requester_of("", kept.user_agent) == kept
    assert unseal_requester(seal_requester(kept, CODE, PEPPER, random_bytes), CODE, PEPPER) == kept


def test_only_who_has_the_code_learns_who_asks() -> None:
    stored = seal_requester(ASKS, CODE, PEPPER, random_bytes)
    assert not [one for one in (ASKS.address, str(ASKS.user_agent), CODE) if one in stored]
    assert unseal_requester(stored, CODE, PEPPER) == ASKS
    assert unseal_requester(stored, "ABCD-EFGJ", PEPPER) == unseal_requester(stored, CODE, b"other") == Requester()


@pytest.mark.parametrize("stored", [None, "", "{", "[]", '{"version":1}', "null"])
def test_of_one_that_was_not_kept_nothing_is_known(stored: str | None) -> None:
    assert unseal_requester(stored, CODE, PEPPER) == Requester()
