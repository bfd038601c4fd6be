import pytest
from structlog.testing import capture_logs

from tollway.catalog.classification import FREE_ELSEWHERE, PAID, Classification, ModelKind
from tollway.errors import Code, Problem
from tollway.gateway.stages import check_request
from tollway.storage.presets import load_preset
from tollway.wire.chat import COMPLETION_TOKENS_MAX, parse_chat
from unit.gateway.fakes import CALLER, body_of, exchange, services

KILO = Classification(load_preset("kilo"))
DEAD, UNAVAILABLE = KILO.kind_of("z-ai/glm-5:free"), KILO.kind_of("qwen/qwen3-coder:free")
TOO_MANY = {"max_tokens": COMPLETION_TOKENS_MAX + 1}


def check(kind: ModelKind = PAID, **more: object) -> Code | None:
    one = exchange(body_of(**more))
    one.request, one.kind, one.caller = parse_chat(one.inbound.body), kind, CALLER
    problem = check_request.run(one, services())
    assert problem is None or isinstance(problem, Problem)
    return problem.code if problem else None


@pytest.mark.parametrize("kind", [PAID, FREE_ELSEWHERE, KILO.kind_of("giga-potato")])
def test_an_ordinary_request(kind: ModelKind) -> None:
    assert check(kind) is None
    assert check(kind, max_tokens=COMPLETION_TOKENS_MAX) is None


def test_more_tokens_than_any_model_has_looks_like_an_outage_and_is_logged_without_the_body() -> None:
    with capture_logs() as lines:
        assert check(DEAD, **TOO_MANY) is Code.SERVICE_UNAVAILABLE  # 503 before 404
    (line,) = lines
    assert (line["user"], line["tokens"], line["log_level"]) == ("user-1", COMPLETION_TOKENS_MAX + 1, "warning")
    assert "hello" not in str(line)


def test_models_that_are_no_more() -> None:
    assert check(DEAD) is Code.MODEL_ENDED
    assert check(UNAVAILABLE) is Code.MODEL_NOT_FOUND
