"""JSON with comments and trailing commas, read so that a mistake is found at its line and column."""

import json
import re
from typing import Any, Final

from tollway.client.errors import ClientError

# A string, a line comment, or a block comment; whichever begins first.
_TOKEN: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
# A string, or a comma with nothing but white space before a closing bracket.
_COMMA: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"|,(?=\s*[}\]])')
_NOT_NEWLINE: Final = re.compile(r"[^\n]")


def read_jsonc(text: str, name: str) -> dict[str, Any]:
    """The object that `text` is; `name` is the file or variable it comes from. An empty text is an empty object.

    Raises ClientError naming `name`, line and column (both from 1).
    """
    plain = _COMMA.sub(_blanked_comma, _TOKEN.sub(_blanked_comment, text.removeprefix("\ufeff")))
    if not plain.strip():
        return {}
    try:
        value = json.loads(plain)
    except json.JSONDecodeError as error:
        raise ClientError(f"{name}:{error.lineno}:{error.colno}: {error.msg}") from None
    except (RecursionError, ValueError):
        raise ClientError(f"{name}:1:1: is nested too deeply, or has a number that is too long") from None
    if not isinstance(value, dict):
        raise ClientError(f"{name}:1:1: must be an object")
    return value


def _blanked_comment(found: re.Match[str]) -> str:
    """As many blanks as the comment was long, so that all places stay where they are."""
    return found[0] if found[0].startswith('"') else _NOT_NEWLINE.sub(" ", found[0])


def _blanked_comma(found: re.Match[str]) -> str:
    return found[0] if found[0].startswith('"') else " "
