"""Text of a stranger, fit for a terminal: it cannot move the cursor, set a title, or write backwards.

Source: catalog-and-clients F-24, of which this is the counterpart for text of several lines.
"""

import unicodedata
from typing import Final

_LINE_ENDS: Final = {ord("\r"): None}
_CONTROLS: Final = {code: None for code in (*range(0x20), *range(0x7F, 0xA0)) if code not in (0x09, 0x0A)}
_DIRECTIONS: Final = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F))
_UNSAFE: Final = {**_LINE_ENDS, **_CONTROLS, **_DIRECTIONS}


def for_terminal(text: str) -> str:
    """Without control characters other than tab and line feed, and without marks of writing direction.

    What holds ligatures and emoji together stays. The pieces of a text may be given one by one.
    """
    return text.translate(_UNSAFE)


def padded(text: str, cells: int) -> str:
    """With blanks behind it, up to so many columns of a terminal."""
    return text + " " * (cells - cells_of(text))


def cells_of(text: str) -> int:
    """How many columns of a terminal it takes: wide letters take two, marks on the letter before them none."""
    return sum(_cells(one) for one in text)


def _cells(one: str) -> int:
    if unicodedata.category(one) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(one) in {"W", "F"} else 1


def finished_blocks(text: str) -> int:
    """How many characters of this Markdown are surely whole blocks: up to the last blank line outside of a code block.

    What is before it can be rendered for good; what comes later changes nothing of it.
    """
    end = position = 0
    fence = ""
    for line in text.splitlines(keepends=True):
        position += len(line)
        stripped = line.strip()
        mark = stripped[:3]
        if fence:
            fence = "" if stripped == fence[0] * len(stripped) and len(stripped) >= len(fence) else fence
        elif mark in ("```", "~~~"):
            fence = mark[0] * (len(stripped) - len(stripped.lstrip(mark[0])))
        elif not stripped and line.endswith("\n"):
            end = position
    return end
