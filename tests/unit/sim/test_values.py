"""Values of controls: what is taken as what, and what is refused."""

from collections.abc import Callable

import pytest

from tollway.sim.control import LineEnd
from tollway.sim.values import (
    ID_CHARS_MAX,
    LOOKUPS_MAX,
    integer_between,
    one_of,
    read_cost,
    read_encoding,
    read_flag,
    read_headers,
    read_id,
    read_lookups,
    read_milliseconds,
    read_object,
    read_replay,
    read_split,
    read_text,
)

Read = Callable[[bytes], object]


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (integer_between(1, 3), b"3", 3),
        (read_milliseconds, b"0.5", 0.5),
        (read_text, b'"a"', "a"),
        (read_text, b"1e3", "1e3"),
        (read_object, b'{"a": 1}', '{"a": 1}'),
        (read_flag, b"1", True),
        (read_flag, b"false", False),
        (one_of(LineEnd), b'"cr"', LineEnd.CR),
        (read_cost, b"0.10", "0.10"),
        (read_cost, b"null", "null"),
        (read_split, b'"bytes"', 1),
        (read_split, b"7", 7),
        (read_headers, b'{"X-A":"\xc3\xa9"}', (("X-A", "é"),)),
        (read_lookups, b'[404,"reset",599]', (404, "reset", 599)),
        (read_id, b'"a/b?c"', "a/b?c"),
        (read_encoding, b'"gzip"', "gzip"),
        (read_replay, b"7", "7"),
    ],
)
def test_what_is_taken(read: Read, text: bytes, value: object) -> None:
    assert read(text) == value


@pytest.mark.parametrize(
    ("read", "texts"),
    [
        (integer_between(1, 3), (b"0", b"4", b"1.5", b'"1"')),
        (read_milliseconds, (b"-1", b"86400001", b'"1"')),
        (read_text, (b"null", b"[]")),
        (read_object, (b"[]", b"{")),
        (read_flag, (b"2", b'"yes"')),
        (one_of(LineEnd), (b'"lfcr"', b"null", b"1")),
        (read_cost, (b"{}", b"[1]", b"true")),
        (read_split, (b"0", b"16777217", b'"byte"')),
        (read_headers, (b'{"a b":"c"}', b'{"a":"\\r\\n"}', b'{"":"c"}', b'{"a":1}')),
        (read_lookups, (b"404", b"[399]", b"[600]", b'["close"]', str([404] * (LOOKUPS_MAX + 1)).encode())),
        (read_id, (b'""', b"1", b'"' + b"x" * (ID_CHARS_MAX + 1) + b'"')),
        (read_encoding, (b'"br"',)),
        (read_replay, (b'"../a"', b'""')),
    ],
)
def test_what_is_refused(read: Read, texts: tuple[bytes, ...]) -> None:
    for text in texts:
        with pytest.raises(ValueError):
            read(text)
