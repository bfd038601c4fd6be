from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.catalog.classification import Classification
from tollway.catalog.preset import HostedModel, Preset
from tollway.errors import Code, Problem
from tollway.gateway.stages import check_policy, prepare_request
from tollway.identity.anonymous import anonymous_caller
from tollway.identity.caller import Caller
from tollway.identity.organization import ENTERPRISE, OrganizationSettings
from tollway.identity.policy import policy_of
from tollway.routing.precedence import OwnRoute
from tollway.wire.chat import parse_chat
from unit.gateway.fakes import CALLER, OWN, body_of, exchange, model, services

HOSTED = HostedModel("free/one", "one", "sim", 1_000, 100, inference_providers=("host",))
NOBODY = anonymous_caller(b"key", "::1")
KIND_OF = Classification(Preset(hosted_models=(HOSTED,))).kind_of


def member(**settings: Any) -> Caller:
    return replace(CALLER, organization_id="o", policy=policy_of(ENTERPRISE, OrganizationSettings(**settings)))


def check(
    caller: Caller,
    model_id: str = "vendor/name",
    *,
    own: OwnRoute | None = None,
    changes: dict[str, Any] | None = None,
    **body: Any,
) -> tuple[Any, Any]:
    """What the stage gave, and the `provider` that is sent then."""
    one = exchange()
    one.caller, one.model, one.request = caller, model(id_=model_id), parse_chat(body_of(**body))
    one.kind, one.own = KIND_OF(model_id), own
    result = check_policy.run(one, services(**(changes or {})))
    if isinstance(result, Problem):
        return result.code, None
    one.provider_config = result
    before = dict(one.request.body)
    prepared = prepare_request.run(one, services())
    assert one.request.body == before
    return result, prepared.get("provider", "absent")


ORDER = {"order": ["x"], "zdr": True}


@pytest.mark.parametrize("caller", [NOBODY, CALLER, member(), member(model_allow_list=("vendor/*",))])
def test_where_nothing_is_restricted_the_callers_wish_stays(caller: Caller) -> None:
    assert check(caller, provider=ORDER) == (None, ORDER)
    assert check(caller) == (None, "absent")


def test_the_organizations_word_replaces_the_callers() -> None:
    wanted = {"only": ["a"], "data_collection": "allow"}
    caller = member(provider_allow_list=("a",), data_collection="allow")
    assert check(caller, provider=ORDER) == (wanted, wanted)
    assert check(caller) == (wanted, wanted)
    assert check(caller, provider="garbage") == (wanted, wanted)


@pytest.mark.parametrize(
    ("caller", "model_id"),
    [
        (member(model_allow_list=("other/*",)), "vendor/name"),
        (member(model_deny_list=("vendor/name",)), "vendor/name"),
        (member(provider_allow_list=("a",)), "free/one"),
    ],
)
def test_a_model_that_is_not_allowed(caller: Caller, model_id: str) -> None:
    assert check(caller, model_id) == (Code.MODEL_NOT_ALLOWED, None)


@pytest.mark.parametrize("caller", [NOBODY, CALLER, member(), member(model_allow_list=("free/*", "vendor/*"))])
@pytest.mark.parametrize("provider", [{"data_collection": "deny"}, {"zdr": True}])
def test_a_hosted_model_collects_whoever_asks(caller: Caller, provider: object) -> None:
    assert check(caller, "free/one", provider=provider) == (Code.DATA_COLLECTION_REQUIRED, None)
    assert check(caller, provider=provider) == (None, provider)  # other models leave it to the caller
    assert check(caller, "free/one") == (None, "absent")


def test_what_counts_is_what_is_sent() -> None:
    """An organization's word stands instead of the caller's, both ways."""
    deny, allow = {"data_collection": "deny"}, {"data_collection": "allow"}
    assert check(member(data_collection="deny"), "free/one", provider=allow) == (Code.DATA_COLLECTION_REQUIRED, None)
    assert check(member(data_collection="allow"), "free/one", provider=deny) == (allow, allow)


ENTRIES = st.lists(st.sampled_from(["vendor/name", "vendor/*", "free/one", "free/*", "other/x"]), max_size=3)
MODELS = st.sampled_from(["vendor/name", "vendor/name:free", "free/one", "other/x", "house/llm"])


@pytest.mark.parametrize(
    ("entry", "own", "is_refused"),
    [
        ("vendor/name", None, False),
        ("vendor/*", None, False),
        ("other/*", None, True),
        ("other/*", OWN, True),
        ("vendor/*", OWN, False),
    ],
)
def test_a_key_is_for_the_models_on_its_list(entry: str, own: OwnRoute | None, is_refused: bool) -> None:
    """Whoever serves them: the organization's lists do not count for what callers have themselves, this one does."""
    caller = replace(CALLER, key_models=frozenset({entry}))
    assert (check(caller, own=own)[0] is Code.MODEL_NOT_ALLOWED) is is_refused


def test_the_namespace_of_who_serves_it_counts_for_models_of_the_catalog_alone() -> None:
    caller = replace(CALLER, key_models=frozenset({"host/*"}))
    serving = {"serving": lambda _: frozenset({"host"})}
    assert check(caller, changes=serving)[0] is None
    assert check(caller, own=OWN, changes=serving)[0] is Code.MODEL_NOT_ALLOWED


def test_the_refusal_names_the_rule_for_the_log_and_not_for_the_caller() -> None:
    one = exchange()
    one.model, one.kind, one.own = model(), KIND_OF("vendor/name"), None
    one.caller = replace(CALLER, key_models=frozenset({"other/*"}))
    of_key = check_policy.run(one, services())
    one.caller = member(model_deny_list=("vendor/*",))
    of_organization = check_policy.run(one, services())
    assert isinstance(of_key, Problem)
    assert isinstance(of_organization, Problem)
    assert (of_key.detail, of_key.shown) == ("vendor/name: not on the list of key key-1", None)
    assert of_organization.detail == "vendor/name: by the lists of organization o"


@given(ENTRIES, ENTRIES, ENTRIES, MODELS)
def test_a_list_of_a_key_only_narrows(allowed: list[str], denied: list[str], of_key: list[str], model_id: str) -> None:
    caller = member(model_allow_list=tuple(allowed), model_deny_list=tuple(denied))
    without = check(caller, model_id)
    listed = check(replace(caller, key_models=frozenset(of_key)), model_id)
    assert listed in (without, (Code.MODEL_NOT_ALLOWED, None))
    alone = check(replace(CALLER, key_models=frozenset(of_key)), model_id)[0] is None
    assert (listed[0] is None) == (without[0] is None and alone)


def test_not_allowed_is_said_before_anything_about_data() -> None:
    assert check(member(model_deny_list=("free/*",), data_collection="deny"), "free/one")[0] is Code.MODEL_NOT_ALLOWED
