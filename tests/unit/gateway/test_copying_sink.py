from typing import Any

import pytest

from tollway.gateway.copying_sink import CopyingSink
from tollway.gateway.transcripts import Copy
from tollway.gateway.upstream_port import Failure, FailureKind
from tollway.wire.answer_head import AnswerHead

HEAD = AnswerHead(200)
FAILURE = Failure(FailureKind.BROKEN, "reset", True)


class Heard:
    """A ReplySink that remembers what it was told."""

    def __init__(self) -> None:
        self.wanted = True
        self.calls: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *told: self.calls.append((name, *told))


@pytest.mark.parametrize(
    "calls",
    [
        [("whole_arrived", HEAD, b"hello")],
        [("head_arrived", HEAD), ("body_arrived", b"hel"), ("body_arrived", b"lo"), ("ended",)],
        [("head_arrived", HEAD), ("body_arrived", b"hello"), ("failed", FAILURE)],
    ],
)
def test_all_is_handed_on_and_the_body_copied(calls: list[tuple[Any, ...]]) -> None:
    heard, copy = Heard(), Copy(b"{}", 100)
    sink = CopyingSink(heard, copy)
    for name, *told in calls:
        getattr(sink, name)(*told)
    assert heard.calls == calls
    assert copy.response == b"hello"
    assert not sink.takes_chunk(b"3\r\nabc\r\n", 3)
    assert sink.wanted
    heard.wanted = False
    assert not sink.wanted
