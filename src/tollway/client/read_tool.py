"""The tool `read`: a model names a file and gets its text. Pure; who may read what is decided where files are.

Source: catalog-and-clients C.13 (4), D.4.5.
"""

from typing import Final

from msgspec import Struct

from tollway.client.prompt import as_text
from tollway.wire.json_body import JsonObject
from tollway.wire.sse import read_object

READ: Final = "read"
LINES_MAX: Final = 2_000
CHARACTERS_MAX: Final = 200_000
FILE_BYTES_MAX: Final = 8 * 1024**2
PATH_CHARACTERS_MAX: Final = 4_096

DEFINITION: Final[JsonObject] = {
    "type": "function",
    "function": {
        "name": READ,
        "description": (
            "Read a text file on the user's machine. Relative paths start in the working folder. Long files are cut: "
            f"at most {LINES_MAX} lines are returned, from line `offset` on."
        ),
        "parameters": {
            "type": "object",
            "properties": {
                "path": {"type": "string", "description": "Path of the file."},
                "offset": {"type": "integer", "minimum": 1, "description": "First line to return; 1 if absent."},
            },
            "required": ["path"],
            "additionalProperties": False,
        },
    },
}


class ReadCall(Struct, frozen=True):
    """`offset`: the first line, counted from 1."""

    path: str
    offset: int = 1


def read_call(arguments: str) -> ReadCall | str:
    """What a model asks for; a text says what is wrong, for the model to put right."""
    tree = read_object(arguments.encode("utf-8", "replace"))
    path = tree.get("path") if tree else None
    offset = 1 if tree is None else tree.get("offset", 1)
    if not isinstance(path, str) or not path or len(path) > PATH_CHARACTERS_MAX or "\0" in path:
        return "Error: the arguments must be a JSON object with `path`, the path of a file."
    if offset.__class__ is not int or offset < 1:
        return "Error: `offset` must be a whole number from 1 on."
    return ReadCall(path, offset)


def excerpt(data: bytes, offset: int) -> str:
    """The text of a file from a line on, as the model gets it; what is left out is said."""
    text = as_text(data)
    if text is None:
        return "Error: this is not a text file."
    lines = text.splitlines(keepends=True)
    if offset > max(len(lines), 1):
        return f"Error: the file has only {len(lines)} lines."
    shown = "".join(lines[offset - 1 : offset - 1 + LINES_MAX])
    last = min(len(lines), offset - 1 + LINES_MAX)
    if len(shown) > CHARACTERS_MAX:
        return f"{shown[:CHARACTERS_MAX]}\n[cut after {CHARACTERS_MAX} characters]"
    return shown if last == len(lines) else f"{shown}[lines {offset} to {last} of {len(lines)}]"


def refused(path: str) -> str:
    """Told to the model when the person, or nobody, allows it."""
    return f"Error: the user does not allow reading {path}, which is outside of the working folder. Do not ask again."
