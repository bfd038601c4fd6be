import pytest

from tollway.errors import Code, Problem
from tollway.gateway.stages import parse_request
from unit.gateway.fakes import body_of, exchange, services


def test_a_request_is_read() -> None:
    request = parse_request.run(exchange(body_of(stream=True)), services())
    assert not isinstance(request, Problem)
    assert (request.model, request.stream) == ("vendor/name", True)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", Code.INVALID_REQUEST),
        (b"{bad", Code.INVALID_REQUEST),
        (body_of(n=9), Code.INVALID_REQUEST),
        (body_of(model=""), Code.MODEL_NOT_FOUND),
        (body_of(model=None), Code.MODEL_NOT_FOUND),
    ],
)
def test_what_is_no_request_is_refused(body: bytes, code: Code) -> None:
    problem = parse_request.run(exchange(body), services())
    assert isinstance(problem, Problem)
    assert problem.code is code
