"""Who brings along who serves them."""

from dataclasses import replace

from structlog.testing import capture_logs

from tollway.errors import Code, Problem
from tollway.gateway.exchange import Exchange
from tollway.gateway.stages import parse_request, resolve_provider
from tollway.identity.owned import Owned, StoredKey, StoredUpstream
from tollway.routing.precedence import OwnRoute, Precedence
from unit.gateway.fakes import CALLER, body_of, exchange, services
from unit.routing.test_precedence import ANN, KEYED, LONELY, key, owned, row


def run(has: Owned | None, model: str = "acme/m1") -> OwnRoute | Problem | None:
    one = exchange(body_of(model=model))
    one.request = asked(one)
    one.caller = replace(CALLER, owned=has)
    return resolve_provider.run(one, services())


def asked(one: Exchange) -> parse_request.ChatRequest:
    request = parse_request.run(one, services())
    assert not isinstance(request, Problem)
    return request


def test_who_owns_nothing_has_no_route() -> None:
    assert run(None) is None
    assert run(owned(row()), "vendor/name") is None


def test_the_route_is_part_of_the_exchange() -> None:
    assert isinstance(run(owned(row())), OwnRoute)


def test_what_cannot_be_opened_is_refused_and_logged_without_contents() -> None:
    broken: StoredUpstream = row(sealed_key={"version": 1})
    with capture_logs() as lines:
        problem = run(owned(broken))
    assert isinstance(problem, Problem)
    assert (problem.code, problem.http_status) == (Code.CREDENTIAL_UNAVAILABLE, 503)
    assert [(line["event"], line["provider"], line["owner"]) for line in lines] == [
        ("own_route_unusable", "acme", CALLER.user_id)
    ]


def refused(keys: tuple[StoredKey, ...], precedence: Precedence, model: str = "vendor/name") -> tuple[Problem, float]:
    """The refusal, and how many secrets were counted as unusable."""
    one, everything = exchange(body_of(model=model)), services(precedence=precedence)
    one.request, one.caller = asked(one), replace(CALLER, owned=Owned(keys))
    problem = resolve_provider.run(one, everything)
    assert isinstance(problem, Problem)
    return problem, everything.metrics.unusable_secrets._value.get()


def test_each_kind_of_unusable_key_has_its_answer() -> None:
    """The operator is alarmed by what does not open, not by what a caller has stored wrongly."""
    problem, count = refused((StoredKey("1", ANN, "anthropic", {}),), KEYED)
    assert (problem.http_status, count) == (503, 1)
    with capture_logs() as lines:
        problem, count = refused((key("bedrock", "sk-fake"),), KEYED)
    assert (problem.code, problem.http_status, count) == (Code.OWN_KEY_INVALID, 401, 0)
    assert "sk-fake" not in f"{lines}{problem}"
    problem, count = refused((key("openai"),), LONELY, "a")
    assert (problem.code, count) == (Code.SERVICE_UNAVAILABLE, 0)
