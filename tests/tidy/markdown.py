"""What a Markdown page links to, which anchors it has, and its code blocks; as much of the grammar as our pages use."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FENCED = re.compile(r"^(```+)(\w*)[^\n]*\n(.*?)^\1\s*$", re.MULTILINE | re.DOTALL)
_LINKS = (  # with or without a title; the definition that links by name share; as HTML
    re.compile(r"\[[^\]]*\]\(([^)\s]+)(?:\s+[\"'][^)]*)?\)"),
    re.compile(r"(?m)^ {0,3}\[[^\]]+\]: *(\S+)"),
    re.compile(r"<[^>]*\b(?:href|src)=[\"']([^\"']+)"),
)
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the line it starts on."""

    language: str
    text: str
    line: int


@cache
def read(path: Path) -> str:
    return path.read_text()


def blocks(path: Path) -> Iterator[Block]:
    text = read(path)
    for found in _FENCED.finditer(text):
        yield Block(found[2], found[3], text.count("\n", 0, found.start(3)) + 1)


def links(path: Path) -> Iterator[str]:
    """Every link target outside code, as written."""
    text = re.sub(r"`[^`\n]*`", "", _FENCED.sub("", read(path)))
    return (found[1] for kind in _LINKS for found in kind.finditer(text))


def anchors(path: Path) -> set[str]:
    """The anchors of the headings, as the usual forges make them."""
    found: set[str] = set()
    for heading in _HEADING.findall(_FENCED.sub("", read(path))):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", words.lower()).strip().replace(" ", "-")
        number = 0
        while (name := f"{anchor}-{number}" if number else anchor) in found:
            number += 1
        found.add(name)
    return found


def broken_links(path: Path) -> Iterator[str]:
    """Relative links whose file or anchor does not exist."""
    for target in links(path):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        if not file.exists():
            yield f"{target}: no such file"
        elif anchor and file.suffix == ".md" and anchor not in anchors(file):
            yield f"{target}: no such heading"
