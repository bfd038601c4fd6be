"""Who brings along who serves them."""

from dataclasses import replace

from structlog.testing import capture_logs

from tollway.errors import Code, Problem
from tollway.gateway.exchange import Exchange
from tollway.gateway.stages import parse_request, resolve_provider
from tollway.identity.owned import Owned, StoredUpstream
from tollway.routing.precedence import OwnRoute
from unit.gateway.fakes import CALLER, body_of, exchange, services
from unit.routing.test_precedence import owned, row


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
