from dataclasses import replace
from typing import Any

import pytest

from tollway.billing.particulars import NO_PARTICULARS, Origin, Particulars, decode_origin
from tollway.catalog.classification import PAID, ModelKind
from tollway.catalog.preset import Preset
from tollway.gateway.context import Contexts
from tollway.gateway.exchange import Exchange
from tollway.gateway.stages import note_particulars
from tollway.routing.plan import Plan
from tollway.routing.precedence import Rule
from tollway.settings import Settings, parse
from tollway.wire.chat import ChatRequest
from unit.gateway.fakes import CALLER, HOLD, candidate, exchange, services

TALK: dict[str, Any] = {
    "model": "vendor/name",
    "messages": [{"role": "system", "content": "be\0 brief"}, {"role": "user", "content": "\0abc\ud800"}],
}
KEEPING, SILENT = parse({"store_prompt_prefixes": True}), parse({})


def asked(body: dict[str, Any] | None = None, headers: dict[bytes, bytes] | None = None) -> Exchange:
    one = exchange(headers=headers)
    one.request = ChatRequest(body or TALK, "vendor/name", False, None, 1, 2, 100)
    one.context = Contexts(Preset()).read(one.inbound.headers, one.inbound.path)
    one.address, one.kind, one.caller, one.own, one.hold = "203.0.113.5", PAID, CALLER, None, HOLD
    one.plan = Plan((candidate(),), 100, 100, Rule.SPLIT)
    return one


def note(one: Exchange, **changes: Any) -> Particulars:
    return note_particulars.run(one, services(**changes))


def test_where_nobody_pays_nothing_is_kept() -> None:
    one = asked()
    one.hold = None
    assert note(one) is NO_PARTICULARS


def test_no_text_of_a_prompt_unless_it_is_wanted() -> None:
    """What is kept can be stored: no NUL, no half of a pair."""
    told = note(asked())
    assert (told.system_prompt_length, told.system_prompt_prefix, told.user_prompt_prefix) == (9, None, None)
    told = note(asked(), settings=KEEPING)
    assert (told.system_prompt_length, told.system_prompt_prefix, told.user_prompt_prefix) == (9, "be brief", "abc")


def test_which_rule_decided_who_serves_it() -> None:
    assert note(asked()).rule == "split"


@pytest.mark.parametrize(
    ("changes", "settings", "kept"),
    [
        ({}, KEEPING, (None, None)),
        ({"keeps_requests": True}, KEEPING, (None, None)),
        ({"keeps_prompts": True}, SILENT, ("be brief", "abc")),
    ],
)
def test_of_an_organization_only_as_it_wants_it(
    changes: dict[str, Any], settings: Settings, kept: tuple[str | None, str | None]
) -> None:
    """Whatever becomes of personal requests."""
    one = asked()
    one.caller = replace(CALLER, organization_id="acme", **changes)
    told = note(one, settings=settings)
    assert told.system_prompt_length == 9
    assert (told.system_prompt_prefix, told.user_prompt_prefix) == kept


@pytest.mark.parametrize(
    ("said", "kept"),
    [(17, 17), (17.0, 17), (1.5, None), (True, None), ("17", None), (None, None), (2**63, None), (float("inf"), None)],
)
def test_max_tokens(said: object, kept: int | None) -> None:
    assert note(asked({**TALK, "max_tokens": said})).max_tokens == kept


def test_what_the_body_and_the_headers_say() -> None:
    headers = {
        b"x-kilocode-taskid": b" task ",
        b"x-kilocode-projectid": b"https://h/o/repo.git",
        b"user-agent": b"UA/1",
    }
    told = note(asked({**TALK, "tools": [{}], "transforms": ["middle-out"]}, headers))
    assert (told.session_id, told.hides_model) == ("task", False)
    assert decode_origin(told.origin) == Origin(
        user_agent="UA/1", project_id="repo", has_tools=True, has_middle_out=True
    )
    told = note(asked())
    assert (decode_origin(told.origin), told.session_id) == (Origin(), None)


def test_the_name_of_a_stealth_model_stays_ours() -> None:
    one = asked()
    one.kind = ModelKind(is_stealth=True)
    assert note(one).hides_model
