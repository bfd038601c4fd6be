"""What all translators do alike: events one by one, one end, and nothing after it."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tollway.wire.dialects.event_translator import EventTranslator
from tollway.wire.dialects.provider_error import ProviderError

MOST = 32


class Echo(EventTranslator):
    """Gives each event back; `stop` announces the end, `end` is the end, `bad` is an error."""

    __slots__ = ()

    def _take(self, data: bytes) -> bytes:
        if data == b"stop":
            self.finish_reason = "stop"
        if data == b"bad":
            return self.fail(ProviderError("bad", 500))
        if data == b"end":
            self.is_finished = True
        return b"<%b>" % data

    def _conclude(self) -> bytes:
        self.is_finished = True
        return b"<concluded>" if self.finish_reason else b""

    def _tell(self, error: ProviderError) -> bytes:
        return b"<%b %d>" % (error.message.encode(), error.status)


def told(*events: bytes) -> bytes:
    echo = Echo(MOST)
    return echo.feed(b"".join(b"data: %b\n\n" % event for event in events)) + echo.close()


def test_an_answer_ends_once() -> None:
    assert told(b"a", b"stop") == b"<a><stop><concluded>"
    assert told(b"a") == b"<a>"
    assert told(b"a", b"end", b"b") == b"<a><end>"
    assert told(b"a", b"bad", b"b", b"stop") == b"<a><bad 500>"


def test_what_is_too_long_is_an_error_unless_it_has_ended() -> None:
    assert told(b"a", b"x" * 100).startswith(b"<a><")
    assert told(b"a", b"x" * 100).endswith(b" 502>")
    assert told(b"end", b"x" * 100) == b"<end>"


def test_after_an_end_nothing_fails() -> None:
    echo = Echo()
    assert echo.fail(ProviderError("gone", 502)) == b"<gone 502>"
    assert (echo.finish_reason, echo.has_ended) == ("error", True)
    assert echo.fail(ProviderError("again", 502)) == echo.feed(b"data: a\n\n") == echo.close() == b""


@given(st.lists(st.sampled_from([b"a", b"stop", b"end", b"bad"])), st.lists(st.integers(0, 60)))
def test_how_the_bytes_were_cut_changes_nothing(events: list[bytes], cuts: list[int]) -> None:
    stream, echo = b"".join(b"data: %b\n\n" % event for event in events), Echo(MOST)
    places = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    pieces = [stream[one:two] for one, two in pairwise(places)]
    assert b"".join(map(echo.feed, pieces)) + echo.close() == told(*events)
