from tollway.errors import Code
from tollway.gateway.stages import check_request, parse_request
from tollway.wire.chat import COMPLETION_TOKENS_MAX, ChatRequest
from unit.gateway.fakes import CALLER, body_of, exchange, services


def check(tokens: int | None) -> object:
    one = exchange(body_of() if tokens is None else body_of(max_tokens=tokens))
    request = parse_request.run(one, services())
    assert isinstance(request, ChatRequest)
    one.request, one.caller = request, CALLER
    return check_request.run(one, services())


def test_the_cap_itself_is_allowed() -> None:
    assert check(None) is None
    assert check(COMPLETION_TOKENS_MAX) is None


def test_more_tokens_than_any_model_has_looks_like_an_outage() -> None:
    problem = check(COMPLETION_TOKENS_MAX + 1)
    assert getattr(problem, "code", None) is Code.SERVICE_UNAVAILABLE
