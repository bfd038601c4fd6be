from dataclasses import replace
from decimal import Decimal

from tollway.catalog.model import Offer
from tollway.routing.plan import Plan, plan_own_keys, plan_route
from tollway.routing.precedence import Rule
from tollway.wire.chat import ChatRequest, parse_chat
from unit.gateway.fakes import PRICE, body_of, model, upstream


def request(**more: object) -> ChatRequest:
    return parse_chat(body_of(**more))


def plan(asked: ChatRequest, *offered: str, configured: tuple[str, ...] = ("sim", "two")) -> Plan | None:
    return plan_route(asked, model(*offered), {name: upstream(name) for name in configured})


def test_candidates_are_the_configured_ones_in_order_of_preference() -> None:
    found = plan(request(), "two", "absent", "sim")
    assert found
    assert [one.upstream.id for one in found.candidates] == ["two", "sim"]
    assert found.route == ("two/vendor/name", "sim/vendor/name")


def test_nobody_serves_it() -> None:
    assert plan(request(), "absent") is None
    assert plan(request(), "sim", configured=()) is None


def test_the_callers_bound_counts_when_it_is_lower_than_the_models() -> None:
    for asked, bound in ((None, 100), (7, 7), (0, 0), (1_000, 100)):
        found = plan(request(max_tokens=asked), "sim")
        assert found
        assert found.completion_tokens_max == bound


def test_the_hold_covers_the_dearest_candidate_and_every_choice() -> None:
    dear = replace(PRICE, completion_usd=Decimal("0.0001"))
    offered = replace(model(), offers=(Offer("sim", "a", PRICE), Offer("two", "b", dear)))
    ups = {name: upstream(name) for name in ("sim", "two")}
    one = plan_route(request(), offered, ups)
    three = plan_route(request(n=3), offered, ups)
    assert one
    assert three
    assert [c.worst_case for c in one.candidates] == sorted(c.worst_case for c in one.candidates)
    assert one.worst_case == one.candidates[1].worst_case
    assert three.worst_case - one.worst_case >= 2 * 100 * 100 - 100


def test_own_keys_cost_nobody_here_anything_and_have_no_one_behind_them() -> None:
    gateway = upstream("second")
    for asked in (None, 7, 0):
        found = plan_own_keys(request(max_tokens=asked), model("sim", "two"), gateway)
        usual = plan(request(max_tokens=asked), "sim")
        assert usual
        (only,) = found.candidates
        assert (only.upstream, only.worst_case, found.worst_case, found.rule) == (gateway, 0, 0, Rule.OWN_KEYS)
        assert (only.offer.upstream_model, only.offer.price) == ("vendor/name", PRICE)
        assert (found.prompt_tokens_max, found.completion_tokens_max) == (
            usual.prompt_tokens_max,
            usual.completion_tokens_max,
        )


def test_a_model_that_the_gateway_offers_itself_has_its_name_and_price_there() -> None:
    other = replace(PRICE, version="test/2")
    offered = replace(model(), offers=(Offer("sim", "a", PRICE), Offer("second", "b", other)))
    (only,) = plan_own_keys(request(), offered, upstream("second")).candidates
    assert only.offer == offered.offers[1]
