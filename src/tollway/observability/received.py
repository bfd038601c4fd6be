"""Values that others send: read into a Struct, or everything that is wrong with them, field by field."""

import re
from typing import Annotated, Any, Final, TypeVar

from msgspec import Meta, MsgspecError, Struct, ValidationError, convert
from msgspec.json import Decoder
from msgspec.structs import FieldInfo, fields

T = TypeVar("T", bound=Struct)

TEXT_CHARS_MAX: Final = 2_000
_NO_NUL: Final = r"\A[^\x00]*\Z"  # no database takes one
Text = Annotated[str, Meta(min_length=1, max_length=TEXT_CHARS_MAX, pattern=_NO_NUL)]
PossiblyEmptyText = Annotated[str, Meta(max_length=TEXT_CHARS_MAX, pattern=_NO_NUL)]

_tree: Final = Decoder()
_WHERE: Final = re.compile(r" - at `\$(.*)`\Z")
_STEP: Final = re.compile(r"\.([^.\[]+)|\[(\d+)\]")


class Issue(Struct, frozen=True):
    """What is wrong, and where."""

    path: tuple[str | int, ...]
    message: str


def read_struct(body: bytes, type_: type[T]) -> T | tuple[Issue, ...]:
    """A JSON object as a `type_`; unknown keys are ignored. Never raises."""
    try:
        tree = _tree.decode(body)
    except (MsgspecError, ValueError, RecursionError):
        return (Issue((), "Expected JSON"),)
    if tree.__class__ is not dict:
        return (Issue((), "Expected an object"),)
    issues = tuple(issue for one in fields(type_) if (issue := _issue_in(one, tree)))
    return issues or convert(tree, type_)


def _issue_in(one: FieldInfo, tree: dict[str, Any]) -> Issue | None:
    name = one.encode_name
    if name not in tree:
        return Issue((name,), "Required") if one.required else None
    if tree[name] is None:  # a field that is not there is left out
        return Issue((name,), "Expected a value, got null")
    try:
        convert(tree[name], one.type)
    except ValidationError as error:
        text = str(error)
        where = _WHERE.search(text)
        steps = _STEP.findall(where[1]) if where else []
        inner = tuple(key or int(place) for key, place in steps)
        return Issue((name, *inner), _WHERE.sub("", text))
    return None
