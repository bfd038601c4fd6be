from tollway.catalog.model import Model
from tollway.errors import Code, Problem
from tollway.gateway.stages import choose_model
from tollway.wire.chat import parse_chat
from unit.gateway.fakes import body_of, exchange, model, services


def choose(name: str) -> Model | Problem:
    one = exchange()
    one.request = parse_chat(body_of(model=name))
    return choose_model.run(one, services())


def test_a_model_in_any_spelling() -> None:
    for name in ("vendor/name", "Vendor/NAME", "name"):
        assert choose(name) == model()


def test_a_model_that_is_not_there() -> None:
    problem = choose("vendor/other")
    assert isinstance(problem, Problem)
    assert (problem.code, problem.detail) == (Code.MODEL_NOT_FOUND, "vendor/other")
