from tollway.errors import Code, Problem
from tollway.http.responder import Responder
from unit.http.connection import Listener, Transport


class _Answer:
    def __init__(self, keep_alive: bool = True, chunked: bool = True, historic: bool = False) -> None:
        self.transport = Transport()
        self.done: list[bool] = []
        self.responder = Responder(
            self.transport, keep_alive, chunked, historic, lambda: b"date: now\r\n", self.done.append
        )

    @property
    def written(self) -> bytes:
        return self.transport.written


def test_a_whole_answer() -> None:
    answer = _Answer()
    answer.responder.answer(200, b"content-type: text/plain\r\n", b"body")
    assert answer.written == (
        b"HTTP/1.1 200 OK\r\ndate: now\r\ncontent-type: text/plain\r\n"
        b"x-content-type-options: nosniff\r\ncache-control: no-store\r\ncontent-length: 4\r\n\r\nbody"
    )
    assert answer.done == [True]


def test_the_upstreams_date_stands() -> None:
    answer = _Answer()
    answer.responder.answer(200, b"content-type: text/plain\r\ndate: then\r\n", b"")
    assert answer.written.count(b"date: ") == 1


def test_a_stream_in_chunks() -> None:
    answer = _Answer()
    answer.responder.start_stream(200, b"")
    answer.responder.write(b"one")
    answer.responder.write(b"")  # would be the last chunk
    answer.responder.finish_stream(b"two")
    assert answer.written.endswith(b"transfer-encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")
    assert answer.done == [True]


def test_a_stream_that_ends_without_more() -> None:
    answer = _Answer()
    answer.responder.start_stream(200, b"")
    answer.responder.finish_stream(b"")
    assert answer.written.endswith(b"\r\n\r\n0\r\n\r\n")


def test_nothing_is_written_after_the_end() -> None:
    answer = _Answer()
    answer.responder.answer(200, b"", b"x")
    written = answer.written
    answer.responder.answer(200, b"", b"y")
    answer.responder.start_stream(200, b"")
    answer.responder.write(b"z")
    answer.responder.finish_stream(b"z")
    answer.responder.refuse(Problem(Code.OVERLOADED), "id")
    answer.responder.abort()
    assert (answer.written, answer.transport.aborted, answer.done) == (written, False, [True])


def test_nothing_is_written_to_a_client_that_has_gone() -> None:
    answer = _Answer()
    listener = Listener()
    answer.responder.listener = listener
    answer.responder.lost()
    answer.responder.start_stream(200, b"")
    answer.responder.finish_stream(b"x")
    assert (answer.written, answer.done, answer.responder.started) == (b"", [], True)
    assert listener.heard == ["gone"]


def test_a_stream_can_be_broken() -> None:
    answer = _Answer()
    answer.responder.start_stream(200, b"")
    answer.responder.abort()
    assert answer.transport.aborted
    assert answer.done == []


def test_refusals() -> None:
    answer = _Answer(historic=True)
    answer.responder.refuse(Problem(Code.INVALID_PATH, retry_after_s=3), "an-id")
    assert answer.responder.status == 400
    assert b"retry-after: 3\r\nx-request-id: an-id\r\n" in answer.written
    assert answer.written.endswith(
        b'{"error":"Invalid path","message":"This endpoint only accepts the path `/chat/completions`."}'
    )


def test_the_last_answer_says_so() -> None:
    answer = _Answer()
    answer.responder.close_after()
    answer.responder.answer(599, b"", b"")
    assert answer.written.startswith(b"HTTP/1.1 599 \r\n")
    assert b"connection: close\r\n" in answer.written
    assert answer.done == [False]


def test_an_old_client_knows_the_end_by_the_close() -> None:
    answer = _Answer(chunked=False)
    answer.responder.start_stream(200, b"")
    answer.responder.write(b"one")
    answer.responder.finish_stream(b"")
    assert answer.written.endswith(b"connection: close\r\n\r\none")
    assert answer.done == [False]


def test_back_pressure_is_passed_on() -> None:
    answer = _Answer()
    answer.responder.pause()
    assert answer.responder.paused
    listener = Listener()
    answer.responder.listener = listener
    answer.responder.resume()
    answer.responder.pause()
    assert listener.heard == ["resumed", "paused"]
