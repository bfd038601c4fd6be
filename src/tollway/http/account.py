"""Account routes that clients call: profile, balance, usage, one's organizations and tokens for them.

Source: catalog-and-clients B.12; bodies of refusals: request-path 6.4.3.
"""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from tollway.admin.credits import Owner as Account
from tollway.admin.credits import show_balance
from tollway.admin.key_changes import check_unlimited
from tollway.admin.keys import NewKey, create_key
from tollway.admin.office import TOKEN, Office
from tollway.admin.ownership import MANAGERS, Actor
from tollway.admin.preferences import read_preferences
from tollway.admin.records import Membership
from tollway.admin.usage import GROUPS_MAX, SPAN_DEFAULT, Grouping, UsageFilter
from tollway.billing.ledger import BudgetKind, BudgetRef, member_day
from tollway.errors import Problem
from tollway.http.callers import Denied
from tollway.http.management.call import Access, ManagementServices
from tollway.identity.caller import Caller, Role
from tollway.identity.organization import ENTERPRISE
from tollway.ids import is_uuid
from tollway.money import MICRODOLLARS_PER_USD

TOKEN_LIFE: Final = timedelta(minutes=15)
ORGANIZATION: Final = "/api/organizations/{organization_id}"

_Answer = Callable[[ManagementServices, Request, Caller], Awaitable[Response | Problem]]


def add_account(api: FastAPI, services: ManagementServices) -> None:
    def add(method: str, path: str, access: Access, answer: _Answer) -> None:
        async def route(request: Request) -> Response:
            organization = request.path_params.get("organization_id") or _named(request)
            caller = await services.callers.identify(request, organization)
            if isinstance(caller, Denied):
                return caller.answer
            result = await answer(services, request, caller)
            if not isinstance(result, Problem):
                return result
            return Denied(result.http_status, result.shown or result.entry.message).answer

        extra = {"x-access": access.name.lower()}
        api.add_api_route(
            path, route, methods=[method], name=answer.__name__, description=answer.__doc__, openapi_extra=extra
        )

    add("GET", "/api/profile", Access.SIGNED_IN, show_profile)
    add("GET", "/api/profile/balance", Access.SIGNED_IN, show_own_balance)
    add("GET", "/api/profile/usage", Access.SIGNED_IN, show_own_usage)
    add("GET", "/api/user", Access.SIGNED_IN, show_user)
    add("GET", "/api/gateway/usage", Access.SIGNED_IN, show_limits)
    add("GET", ORGANIZATION, Access.LOOK, show_organization)
    add("GET", f"{ORGANIZATION}/modes", Access.LOOK, list_modes)
    add("POST", f"{ORGANIZATION}/user-tokens", Access.LOOK, make_token)


async def show_profile(services: ManagementServices, _: Request, caller: Caller) -> Response:
    """Who the caller is, and their organizations; without any that key is absent."""
    found = [
        {"id": one.organization.id, "name": one.organization.name, "role": one.role}
        for one in await _memberships(services, caller)
    ]
    return JSONResponse({"user": await _user(services, caller), **({"organizations": found} if found else {})})


async def show_own_balance(services: ManagementServices, _: Request, caller: Caller) -> Response | Problem:
    """What is left, in USD; with an organization header that of the organization."""
    balance = await _balance(services, caller)
    if isinstance(balance, Problem):
        return balance
    return JSONResponse({"balance": _usd(balance), "isDepleted": balance <= 0})


async def show_own_usage(services: ManagementServices, request: Request, caller: Caller) -> Response:
    """What the caller used, by day, newest first."""
    view = request.query_params.get("viewType", "personal")
    with_models = request.query_params.get("groupByModel") == "true"
    organization = view.lower() if is_uuid(view) else caller.organization_id
    now = services.now()
    wanted = UsageFilter(
        now - SPAN_DEFAULT,
        now + timedelta(seconds=1),
        caller.user_id,
        organization if view != "all" or caller.organization_id else None,
        is_personal=view == "personal" and organization is None,
    )
    by = [Grouping.DAY, Grouping.MODEL] if with_models else [Grouping.DAY]
    sums = await services.usage.sum_usage(wanted, by, GROUPS_MAX, 0)
    usage = [
        {
            "date": one.day,
            **({"model": one.model} if with_models else {}),
            "total_cost": one.cost_microdollars,
            "request_count": one.requests,
            "total_input_tokens": one.prompt_tokens,
            "total_output_tokens": one.completion_tokens,
            "total_cache_write_tokens": one.cache_write_tokens,
            "total_cache_hit_tokens": one.cached_tokens,
        }
        for one in sums
    ]
    return JSONResponse({"usage": usage})


async def show_user(services: ManagementServices, _: Request, caller: Caller) -> Response:
    """Who the caller is: id, address, name, image."""
    return JSONResponse(await _user(services, caller))


async def show_limits(services: ManagementServices, _: Request, caller: Caller) -> Response | Problem:
    """What the caller may still spend: of a key in all, of a member per UTC day."""
    balance = await _balance(services, caller)
    if isinstance(balance, Problem):
        return balance
    now, limits = services.now(), []
    if caller.key_id is not None and caller.key_limit is not None:
        spent = await services.spent(BudgetRef(BudgetKind.KEY, caller.key_id))
        limits.append(_limit("key", caller.key_limit, spent, None))
    if caller.member_daily_limit is not None and caller.organization_id is not None:
        spent = await services.spent(member_day(caller.organization_id, caller.user_id, now.date()))
        tomorrow = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        limits.append(
            _limit("member_day", caller.member_daily_limit, spent, tomorrow.isoformat().replace("+00:00", "Z"))
        )
    organization = await _organization(services, caller)
    plan = organization.organization.plan if organization else "personal"
    return JSONResponse({"plan": plan, "balance_usd": _usd(balance), "limits": limits})


async def show_organization(services: ManagementServices, _: Request, caller: Caller) -> Response | Problem:
    """Name and settings; for how many days text of requests is kept. Plain members do not see whom an alert goes to."""
    found = await _organization(services, caller)
    assert found is not None
    one, preferences = found.organization, read_preferences(found.organization.stored)
    settings: dict[str, Any] = {"code_indexing_enabled": preferences.code_indexing_enabled}
    if one.plan == ENTERPRISE:
        settings |= {
            "model_allow_list": list(one.settings.model_allow_list),
            "provider_allow_list": list(one.settings.provider_allow_list),
            "default_model": one.settings.default_model,
        }
    settings["data_collection"] = one.settings.data_collection
    settings |= asdict(services.text_permissions.in_force(one.id, one.settings))
    if found.role in MANAGERS and preferences.minimum_balance_microdollars is not None:
        settings["minimum_balance"] = _usd(preferences.minimum_balance_microdollars)
        settings["minimum_balance_alert_email"] = list(preferences.minimum_balance_alert_email)
    return JSONResponse({"id": one.id, "name": one.name, "settings": settings})


async def list_modes(_: ManagementServices, __: Request, ___: Caller) -> Response:
    """An empty list: organizations have no modes of their own here."""
    return JSONResponse({"modes": []})


async def make_token(services: ManagementServices, _: Request, caller: Caller) -> Response | Problem:
    """A key for this organization that lives 15 minutes."""
    refused = await check_unlimited(services.store, caller.key_id)
    if refused is not None:
        return refused
    now, organization = services.now(), str(caller.organization_id)
    order = NewKey(caller.user_id, organization, "organization token", None, now + TOKEN_LIFE)
    office = Office(services.store, Actor(caller.user_id), now)
    audit = office.audit(organization, TOKEN, f"Generated a token for {caller.user_id}")
    made = await create_key(services.store, order, services.pepper, now, audit)
    if isinstance(made, Problem):
        return made
    expires = (now + TOKEN_LIFE).isoformat().replace("+00:00", "Z")
    return JSONResponse({"token": made.key, "expiresAt": expires, "organizationId": organization})


async def _user(services: ManagementServices, caller: Caller) -> dict[str, str]:
    user = await services.store.find_user(caller.user_id)
    return {"id": caller.user_id, "email": caller.email, "name": user.name if user else "", "image": ""}


async def _memberships(services: ManagementServices, caller: Caller) -> list[Membership]:
    found = await services.store.list_memberships(caller.user_id)
    bound_to = caller.organization_id
    return [one for one in found if bound_to in (None, one.organization.id)]


async def _organization(services: ManagementServices, caller: Caller) -> Membership | None:
    found = await services.store.list_memberships(caller.user_id)
    return next((one for one in found if one.organization.id == caller.organization_id), None)


async def _balance(services: ManagementServices, caller: Caller) -> int | Problem:
    """A billing manager has none of the organization's to spend (request-path 9.2)."""
    if caller.role is Role.BILLING_MANAGER:
        return 0
    organization = caller.organization_id
    account = Account(organization=organization) if organization else Account(user=caller.user_id)
    found = await show_balance(services.store, account)
    return found if isinstance(found, Problem) else found.balance_microdollars


def _limit(kind: str, limit: int, spent: int, resets_at: str | None) -> dict[str, Any]:
    return {"kind": kind, "limit_usd": _usd(limit), "used_usd": _usd(spent), "resets_at": resets_at}


def _named(request: Request) -> str:
    headers = request.headers
    return headers.get("x-tollway-organizationid") or headers.get("x-kilocode-organizationid") or ""


def _usd(microdollars: int) -> float:
    """For a JSON number on the wire; nothing is computed with it."""
    return microdollars / MICRODOLLARS_PER_USD
