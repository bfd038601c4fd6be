"""Text of a stranger, fit for a terminal: it cannot move the cursor, set a title, or write backwards.

Source: catalog-and-clients F-24, of which this is the counterpart for text of several lines.
"""

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
