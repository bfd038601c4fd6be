import asyncio
import os
from collections.abc import Coroutine
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

import pytest

from tollway.admin.organizations import NewOrganization, add_member, create_organization
from tollway.admin.ownership import NO_ACCESS, NO_ROLE, OPERATOR, Actor
from tollway.admin.records import AuditEntry, Page
from tollway.admin.upstream_changes import Sealer
from tollway.admin.upstream_records import CustomUpstream, NewUpstream, UpstreamChange
from tollway.admin.upstreams import (
    NOT_FOUND,
    TAKEN,
    UpstreamDesk,
    UpstreamRules,
    change_upstream,
    create_upstream,
    delete_upstream,
    find_upstream,
    list_upstreams,
)
from tollway.admin.users import NewUser, create_user
from tollway.errors import Code, Problem
from tollway.identity.caller import Role
from tollway.identity.outbound import OutboundRules
from tollway.identity.owned import Owner, OwnerKind
from tollway.storage.sql.admin.store import SqlAdmin
from unit.gateway.fakes import SEALING_KEYS

T = TypeVar("T")
KEY = "sk-a-key-of-twenty-characters"
ACME = NewUpstream("acme", "Acme", "https://llm.example.com/v1/", KEY, {"X-Team": "blue"}, {"models": [{"id": "m"}]})


async def _leads_inside(host: str, port: int) -> bool:
    return host == "inside.example"


def done(work: Coroutine[Any, Any, T | Problem]) -> T:
    result = asyncio.run(work)
    assert not isinstance(result, Problem), result
    return result


def refused(work: Coroutine[Any, Any, Any]) -> tuple[Code, str | None]:
    result = asyncio.run(work)
    assert isinstance(result, Problem), result
    return result.code, result.shown


@pytest.fixture
def desk(store: SqlAdmin, now: datetime) -> UpstreamDesk:
    rules = UpstreamRules(OutboundRules(), {"openai"}, 2, _leads_inside)
    return UpstreamDesk(store, rules, Sealer(SEALING_KEYS, os.urandom), OPERATOR, now)


@pytest.fixture
def ann(store: SqlAdmin, now: datetime) -> Owner:
    return Owner(OwnerKind.USER, done(create_user(store, NewUser("ann@example.com"), now)).id)


@pytest.fixture
def acme(store: SqlAdmin, ann: Owner, now: datetime) -> Owner:
    """An organization whose owner is ann."""
    made = done(create_organization(store, NewOrganization("Acme"), now))
    done(add_member(store, made.id, ann.id, Role.OWNER, now))
    return Owner(OwnerKind.ORGANIZATION, made.id)


def audit_of(desk: UpstreamDesk, owner: Owner) -> list[AuditEntry]:
    return list(reversed(asyncio.run(desk.store.list_audit(owner.id, Page()))))


def test_what_is_created_is_listed_without_its_secrets(desk: UpstreamDesk, ann: Owner) -> None:
    made = done(create_upstream(desk, ann, ACME))
    assert (made.base_url, made.last_four, made.header_names) == ("https://llm.example.com/v1", "ters", ("X-Team",))
    assert (made.is_enabled, made.has_key, made.created_by) == (True, True, "operator")
    assert done(list_upstreams(desk, ann)) == (made,)
    assert KEY not in repr(ACME) + repr(made)
    assert "blue" not in repr(ACME) + repr(made)
    for named in (made.id, "acme", "ACME"):
        assert done(find_upstream(desk, ann, named)).upstream == made


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"provider_id": "openai"}, "provider_id: this name is reserved"),
        ({"display_name": ""}, "display_name: must have 1 to 100 characters, none of them control characters"),
        (
            {"base_url": "http://llm.example.com"},
            "base_url: http is only possible for endpoints that the operator lists",
        ),
        ({"base_url": "https://inside.example"}, "base_url: the host must have a public address"),
        ({"base_url": None}, "base_url: must start with https://"),
        ({"api_key": ""}, "api_key: must have 1 to 8192 characters of visible ASCII"),
        ({"extra_headers": {"Host": "x"}}, "extra_headers: one of these names is reserved"),
        ({"model_metadata": 5}, "model_metadata: must be an object"),
        ({"is_enabled": "yes"}, "is_enabled: must be true or false"),
    ],
)
def test_refusals_name_the_field(desk: UpstreamDesk, ann: Owner, changes: dict[str, Any], shown: str) -> None:
    assert refused(create_upstream(desk, ann, replace(ACME, **changes))) == (Code.BAD_REQUEST, shown)
    made = done(create_upstream(desk, ann, ACME))
    assert refused(change_upstream(desk, ann, made.id, UpstreamChange(**changes))) == (Code.BAD_REQUEST, shown)
    assert done(list_upstreams(desk, ann)) == (made,)


def test_one_of_a_name_and_no_more_than_the_bound(desk: UpstreamDesk, ann: Owner) -> None:
    done(create_upstream(desk, ann, ACME))
    assert refused(create_upstream(desk, ann, ACME)) == (Code.CONFLICT, TAKEN)
    done(create_upstream(desk, ann, replace(ACME, provider_id="beta")))
    assert refused(change_upstream(desk, ann, "beta", UpstreamChange(provider_id="acme"))) == (Code.CONFLICT, TAKEN)
    full = (Code.BAD_REQUEST, "provider_id: there may be at most 2 custom upstreams")
    assert refused(create_upstream(desk, ann, replace(ACME, provider_id="gamma"))) == full


def test_a_change_of_nothing_is_refused(desk: UpstreamDesk, ann: Owner) -> None:
    done(create_upstream(desk, ann, ACME))
    assert refused(change_upstream(desk, ann, "acme", UpstreamChange()))[0] is Code.BAD_REQUEST


def test_what_is_deleted_is_gone(desk: UpstreamDesk, ann: Owner) -> None:
    made = done(create_upstream(desk, ann, ACME))
    assert done(delete_upstream(desk, ann, "acme")) == made
    assert refused(delete_upstream(desk, ann, "acme")) == (Code.NOT_FOUND, NOT_FOUND)
    assert done(list_upstreams(desk, ann)) == ()


def test_an_organization_has_it_in_its_log(desk: UpstreamDesk, ann: Owner, acme: Owner) -> None:
    by_ann = replace(desk, actor=Actor(ann.id))
    done(create_upstream(by_ann, acme, ACME))
    for change in (
        UpstreamChange(display_name="New", is_enabled=False),
        UpstreamChange(is_enabled=True),
        UpstreamChange(is_enabled=False),
    ):
        done(change_upstream(by_ann, acme, "acme", change))
    refused(change_upstream(by_ann, acme, "acme", UpstreamChange(display_name="")))
    refused(create_upstream(by_ann, acme, ACME))
    done(delete_upstream(by_ann, acme, "acme"))
    found = audit_of(desk, acme)
    assert sorted(entry.message for entry in found) == [
        f"{what} custom upstream: acme" for what in ("Added", "Deleted", "Disabled", "Enabled", "Updated")
    ]
    assert {(entry.actor, entry.action) for entry in found} == {(ann.id, "organization.settings.change")}


@pytest.mark.parametrize(
    ("role", "may_list", "may_change", "why"),
    [
        (Role.OWNER, True, True, None),
        (Role.BILLING_MANAGER, True, True, None),
        (Role.MEMBER, True, False, NO_ROLE),
        (None, False, False, NO_ACCESS),
    ],
)
def test_who_may_do_what(
    desk: UpstreamDesk, acme: Owner, now: datetime, role: Role | None, may_list: bool, may_change: bool, why: str | None
) -> None:
    done(create_upstream(desk, acme, ACME))
    bob = done(create_user(desk.store, NewUser("bob@example.com"), now))
    if role:
        done(add_member(desk.store, acme.id, bob.id, role, now))
    by_bob = replace(desk, actor=Actor(bob.id))
    listed = asyncio.run(list_upstreams(by_bob, acme))
    assert isinstance(listed, tuple) is may_list
    for work in (
        change_upstream(by_bob, acme, "acme", UpstreamChange(display_name="Bob's")),
        create_upstream(by_bob, acme, replace(ACME, provider_id="beta")),
        delete_upstream(by_bob, acme, "acme"),
    ):
        result = asyncio.run(work)
        assert isinstance(result, CustomUpstream) is may_change
        if isinstance(result, Problem):
            assert (result.code, result.shown) == (Code.FORBIDDEN, why)


def test_rows_of_others_are_as_good_as_missing(desk: UpstreamDesk, ann: Owner, acme: Owner) -> None:
    made = done(create_upstream(desk, ann, ACME))
    for named in (made.id, "11111111-1111-4111-8111-111111111111", "", "\x00"):
        for work in (
            find_upstream(desk, acme, named),
            change_upstream(desk, acme, named, UpstreamChange(display_name="Mine")),
            delete_upstream(desk, acme, named),
        ):
            assert refused(work) == (Code.NOT_FOUND, NOT_FOUND)
    assert done(list_upstreams(desk, ann)) == (made,)
