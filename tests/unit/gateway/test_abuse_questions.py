from dataclasses import replace
from typing import Any

import pytest
from msgspec.structs import asdict
from msgspec.structs import replace as with_changes

from tollway.gateway.abuse_questions import classification_of, cost_report_of
from tollway.gateway.context import Contexts
from tollway.gateway.exchange import Exchange, Inbound
from tollway.gateway.reply import Reply
from tollway.storage.presets import load_preset
from tollway.wire.chat import parse_chat
from unit.gateway.closers.test_settle_funds import TOLD, outcome, served
from unit.gateway.fakes import CALLER, OWN, body_of, candidate

EDGE = {
    b"user-agent": b"agent/1",
    b"x-vercel-ip-city": b"Berlin",
    b"x-vercel-ip-country": b"DE",
    b"x-vercel-ip-latitude": b"52.5",
    b"x-vercel-ip-longitude": b"nonsense",
    b"x-vercel-ja4-digest": b"t13d",
    b"x-kilocode-feature": b"CLI",
}
CONTEXTS = Contexts(load_preset("kilo"))
TALK = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hello"}]


def asked(by_proxy: bool = False, **fields: Any) -> Exchange:
    one = served(Reply(candidate(), 200, TOLD))
    body = body_of(messages=TALK, model="Vendor/Name", **fields)
    one.inbound = Inbound("/v1/chat/completions", b"", EDGE, body, "::1", False, by_proxy)
    one.asked = one.request = parse_chat(body)
    one.address = "203.0.113.7"
    one.context = CONTEXTS.read(EDGE, one.inbound.path)
    return one


def test_prompts_are_sent_only_where_they_may_be() -> None:
    without, whole = classification_of(asked(), False), classification_of(asked(), True)
    assert (without.user_prompt, without.system_prompt) == (None, None)
    assert (whole.user_prompt, whole.system_prompt) == ("hello", "be brief")
    assert with_changes(whole, user_prompt=None, system_prompt=None) == without


def test_headers_of_an_edge_count_only_from_a_trusted_proxy() -> None:
    there, direct = asdict(classification_of(asked(by_proxy=True), False)), asdict(classification_of(asked(), False))
    differing = {
        "geo_city": "Berlin",
        "geo_country": "DE",
        "geo_latitude": 52.5,
        "ja4_digest": "t13d",
    }
    assert {name: value for name, value in there.items() if direct[name] != value} == differing
    assert {direct[name] for name in differing} == {None}
    assert (there["geo_longitude"], there["user_agent"]) == (None, "agent/1")
    assert (there["ip_address"], there["requested_model"], there["provider"]) == ("203.0.113.7", "vendor/name", "sim")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, (None, False, False, False)),
        ({"max_tokens": 5, "transforms": [], "tools": [], "stream": False}, (5, False, False, False)),
        ({"transforms": ["middle-out"], "tools": [{}], "stream": True}, (None, True, True, True)),
    ],
)
def test_what_the_body_says(fields: dict[str, Any], expected: tuple[Any, ...]) -> None:
    said = classification_of(asked(**fields), False)
    assert (said.max_tokens, said.has_middle_out_transform, said.has_tools, said.streamed) == expected


def test_who_asks() -> None:
    one = asked()
    one.caller = replace(CALLER, organization_id="org-1")
    one.own = OWN
    said = classification_of(one, False)
    assert (said.kilo_user_id, said.organization_id, said.is_user_byok) == ("user-1", "org-1", True)


def test_an_auto_model_is_asked_about_as_it_was_named_and_told_of_as_what_it_stood_for() -> None:
    one = asked()
    one.asked = with_changes(one.asked, model="House/Auto")
    one.outcome = outcome("request-1")
    assert classification_of(one, False).requested_model == "house/auto"
    report = cost_report_of(one)
    assert report is not None
    assert report.requested_model == "vendor/name"


def test_a_report_tells_what_it_was_worth_and_names_the_caller_alike() -> None:
    one = asked(by_proxy=True)
    one.outcome = with_changes(outcome("request-1"), charge=0, market_cost=8304)
    report, question = cost_report_of(one), classification_of(one, False)
    assert report is not None
    assert (report.cost, report.message_id, report.request_id) == (8304, "gen-1", 0)
    assert (report.input_tokens, report.output_tokens) == (3, 2)
    for name in ("kilo_user_id", "ip_address", "ja4_digest", "user_agent"):
        assert getattr(report, name) == getattr(question, name)


def test_there_is_no_report_without_accounting_or_without_an_id() -> None:
    one = asked()
    assert cost_report_of(one) is None
    one.outcome = outcome("request-1")
    one.reply = Reply(candidate(), 400, with_changes(TOLD, message_id=None))
    assert cost_report_of(one) is None
