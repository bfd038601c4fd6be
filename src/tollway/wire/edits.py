"""Changes to a decoded body that copy only what they change. Pure.

What is not changed is the same object as before, so a body for which nothing applies is never copied.
"""

from collections.abc import Callable, Collection

from tollway.wire.json_body import JsonObject, JsonValue

Change = Callable[[JsonValue], JsonValue]


def without(value: JsonValue, names: Collection[str]) -> JsonValue:
    """An object without these members; anything else stays."""
    if value.__class__ is not dict or value.keys().isdisjoint(names):
        return value
    rest = value.copy()
    for name in names:
        rest.pop(name, None)
    return rest


def changed_at(value: JsonValue, path: tuple[str, ...], change: Change) -> JsonValue:
    """`value` with `change` applied to the member at `path`; the same when the path leads nowhere."""
    if not path:
        return change(value)
    name = path[0]
    if value.__class__ is not dict or name not in value:
        return value
    old = value[name]
    new = changed_at(old, path[1:], change)
    return value if new is old else {**value, name: new}


def each(body: JsonObject, name: str, change: Change) -> JsonObject:
    """`body` with `change` applied to every element of its list `name`; the same when there is no such list."""
    old = body.get(name)
    if old.__class__ is not list:
        return body
    new = [change(element) for element in old]
    if all(one is other for one, other in zip(old, new, strict=True)):
        return body
    return {**body, name: new}
