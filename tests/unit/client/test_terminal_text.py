"""Text that cannot take hold of a terminal, and blocks of Markdown that are whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.client.terminal_text import cells_of, finished_blocks, for_terminal, padded


@given(st.text())
def test_nothing_controls_the_terminal(text: str) -> None:
    shown = for_terminal(text)
    assert all(one in "\t\n" or not (ord(one) < 0x20 or 0x7F <= ord(one) < 0xA0) for one in shown)
    assert for_terminal(shown) == shown


@given(st.lists(st.text(max_size=5), max_size=5))
def test_pieces_and_whole_are_shown_alike(pieces: list[str]) -> None:
    assert "".join(map(for_terminal, pieces)) == for_terminal("".join(pieces))


def test_what_is_lost_and_what_stays() -> None:
    assert for_terminal("a\x1b[31mb\r\n\u202ec\u200d\u2066d\x9b") == "a[31mb\nc\u200dd"


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("one", ""),
        ("one\n\n", "one\n\n"),
        ("one\n\ntwo", "one\n\n"),
        ("one\n \ntwo\n\nthree", "one\n \ntwo\n\n"),
        ("```\na\n\nb", ""),
        ("x\n\n```py\na\n\nb\n```\n\nend", "x\n\n```py\na\n\nb\n```\n\n"),
        ("````\n```\n\n````\n\n", "````\n```\n\n````\n\n"),
        ("~~~\n\n```\n\n~~~\n\nx", "~~~\n\n```\n\n~~~\n\n"),
        ("one\n", ""),
    ],
)
def test_whole_blocks(text: str, whole: str) -> None:
    assert text[: finished_blocks(text)] == whole


@given(st.text(alphabet="`~a \n", max_size=60), st.text(alphabet="`~a \n", max_size=20))
def test_more_text_never_takes_a_whole_block_back(text: str, more: str) -> None:
    assert finished_blocks(text + more) >= finished_blocks(text)


@pytest.mark.parametrize(("text", "cells"), [("", 0), ("abc", 3), ("日本", 4), ("e\u0301", 1), ("\uff58", 2), ("…", 1)])
def test_columns_of_a_terminal(text: str, cells: int) -> None:
    assert cells_of(text) == cells
    assert cells_of(padded(text, 8)) == 8
    assert padded(text, 0) == text
