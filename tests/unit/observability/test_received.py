from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from tollway.observability.received import Issue, Text, read_struct


class Thing(Struct, rename="camel"):
    some_name: Text
    how_many: Annotated[int, Meta(ge=0)]
    names: tuple[Text, ...] = ()
    maybe: Text | None = None


def paths(body: bytes) -> list[tuple[str | int, ...]]:
    read = read_struct(body, Thing)
    assert isinstance(read, tuple)
    assert all(isinstance(issue, Issue) and issue.message and "$" not in issue.message for issue in read)
    return [issue.path for issue in read]


def test_a_thing_and_what_nobody_knows() -> None:
    body = b'{"someName":"a","howMany":0,"names":["b"],"more":{"x":1}}'
    assert read_struct(body, Thing) == Thing("a", 0, ("b",))


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b"", [()]),
        (b"{", [()]),
        (b"[]", [()]),
        (b"null", [()]),
        (b'{"a":"\xff"}', [()]),
        (b"[" * 100_000, [()]),
        (b"{}", [("someName",), ("howMany",)]),
        (b'{"someName":"","howMany":-1}', [("someName",), ("howMany",)]),
        (b'{"someName":"a\\u0000","howMany":true}', [("someName",), ("howMany",)]),
        (b'{"someName":"a","howMany":1,"names":["a",""]}', [("names", 1)]),
        (b'{"someName":"a","howMany":1,"maybe":null}', [("maybe",)]),
    ],
)
def test_everything_that_is_wrong_has_its_place(body: bytes, where: list[tuple[str | int, ...]]) -> None:
    assert paths(body) == where


@given(st.binary(max_size=40))
def test_nothing_raises(body: bytes) -> None:
    read = read_struct(body, Thing)
    assert isinstance(read, Thing | tuple)
