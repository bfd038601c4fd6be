"""The client's side of a hot request in another dialect: what the gateway says as chat, told in that one."""

from typing import Any, Final

from tollway.errors import Code, Problem
from tollway.gateway.client_dialects import ClientDialect
from tollway.http.problems import problem_body, problem_headers
from tollway.http.responder import Responder
from tollway.wire.frames import KEEP_ALIVE_COMMENT

_COMMENT: Final = b":"
_NO_ANSWER: Final = Problem(Code.UPSTREAM_BROKEN)


class DialectResponder(Responder):
    """Behind the usage tap, so accounting never sees the difference."""

    __slots__ = ("_dialect",)

    def __init__(self, dialect: ClientDialect, *parts: Any) -> None:
        """`parts`: of the plain responder."""
        super().__init__(*parts)
        self._dialect = dialect

    def refuse(self, problem: Problem, request_id: str) -> None:
        body = problem_body(problem, request_id, historic=False)
        self.answer(problem.http_status, problem_headers(problem, request_id), body)

    def answer(self, status: int, headers: bytes, body: bytes) -> None:
        if status < 300:
            told = self._dialect.whole(body)
            if told:
                super().answer(status, headers, told)
                return
            status, body = _NO_ANSWER.http_status, problem_body(_NO_ANSWER, "", historic=False)
        super().answer(status, headers, self._dialect.error(body, status))

    def write(self, data: bytes) -> None:
        told = self._dialect.feed(data)
        if told:
            super().write(told)
        elif data.startswith(_COMMENT):
            super().write(KEEP_ALIVE_COMMENT)

    @property
    def takes_chunks(self) -> bool:
        return False

    def finish_stream(self, data: bytes) -> None:
        super().finish_stream(self._dialect.feed(data) + self._dialect.close())

    def break_off(self, problem: Problem, request_id: str) -> None:  # noqa: ARG002  (the dialects have no place for it)
        message = problem.shown or problem.entry.message
        super().finish_stream(self._dialect.fail(message, problem.http_status))
