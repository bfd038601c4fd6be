"""Organizations as their members change them: found, rename, set, delete. Every change is told in the audit log.

Settings that decide about models need the plan `enterprise`. Source: catalog-and-clients E.6, F.5.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from tollway.admin.fields import check_text
from tollway.admin.office import CREATED, DELETED, SETTINGS_CHANGE, Office
from tollway.admin.organizations import change_organization
from tollway.admin.ownership import NO_ROLE, check_access, role_of
from tollway.admin.preferences import read_preferences
from tollway.admin.records import AuditEntry, Founder, Organization, OrganizationChange, Setting
from tollway.admin.restrictions import MODEL_LISTS, PROVIDER_LISTS, TEXT_DAYS, check_settings
from tollway.admin.service_accounts import NO_OWNER
from tollway.admin.store import AuditOf
from tollway.errors import Code, Problem
from tollway.identity.caller import Role
from tollway.identity.organization import ENTERPRISE, OrganizationSettings
from tollway.identity.owned import Owner, OwnerKind
from tollway.identity.policy import policy_of
from tollway.ids import new_id

ORGANIZATIONS_MAX: Final = 5
_TOO_MANY: Final = f"You have reached the maximum number of organizations ({ORGANIZATIONS_MAX}) allowed."
_NOT_ENTERPRISE: Final = "Model access configuration is not available for this organization."
_ENTERPRISE_ONLY: Final = MODEL_LISTS | PROVIDER_LISTS | {"default_model"}


async def found_organization(office: Office, entered_name: str) -> Organization | Problem:
    """With who asks as its owner, on the plan `teams`; an administrator that is a service account owns none it makes.

    Refuses: bad_request, forbidden (another service account), too_many_requests.
    """
    name = check_text("name", entered_name, least=1)
    if isinstance(name, Problem):
        return name
    user_id = str(office.actor.user_id)
    user = await office.store.find_user(user_id)
    is_bot = user is not None and user.is_bot
    if is_bot and not office.actor.may_all:
        return NO_OWNER
    organization = Organization(new_id(), name, "teams", office.now)
    founder = None if is_bot else Founder(user_id, new_id(), ORGANIZATIONS_MAX)
    audit = office.audit(organization.id, CREATED, f"Created organization {name}")
    if not await office.store.add_organization(organization, founder, audit):
        return Problem(Code.TOO_MANY_REQUESTS, "organizations", shown=_TOO_MANY)
    return organization


async def change_settings(office: Office, found: Organization, change: OrganizationChange) -> Organization | Problem:
    """Refuses: bad_request, forbidden (role, plan). Plan and seats are the operator's to set, and whether text of
    requests is kept is an owner's."""
    refused = await check_access(office.store, office.actor, _owner(found.id), to_change=True)
    if refused is not None:
        return refused
    if change.settings.keys() & TEXT_DAYS and not await _is_owner(office, found):
        return Problem(Code.FORBIDDEN, "text is an owner's to decide on", shown=NO_ROLE)
    if not office.actor.may_all and (change.plan is not None or change.require_seats is not None):
        return Problem(Code.FORBIDDEN, "plan or seats")
    if change.settings.keys() & _ENTERPRISE_ONLY and (change.plan or found.plan) != ENTERPRISE:
        return Problem(Code.FORBIDDEN, "the plan", shown=_NOT_ENTERPRISE)
    checked = check_settings(change.settings)
    fitted = checked if isinstance(checked, Problem) else _with_fitting_default(found, change, checked)
    if isinstance(fitted, Problem):
        return fitted
    return await change_organization(office.store, found.id, fitted, office.now, audit_of(office))


def audit_of(office: Office) -> AuditOf:
    """The entry for a change of settings; None when nothing is different."""

    def audit(before: Organization, after: Organization) -> AuditEntry | None:
        message = "; ".join(told(before, after))
        return office.audit(before.id, SETTINGS_CHANGE, message) if message else None

    return audit


async def delete_organization(office: Office, found: Organization) -> Problem | None:
    """By an owner: nobody acts for it any more, its stored secrets are gone; the books stay. Refuses: forbidden."""
    role = await role_of(office.store, office.actor, found.id)
    if isinstance(role, Problem):
        return role
    if role is not Role.OWNER:
        return Problem(Code.FORBIDDEN, f"a {role}", shown=NO_ROLE)
    audit = office.audit(found.id, DELETED, f"Deleted organization {found.name}")
    await office.store.delete_organization(found.id, office.now, audit)
    return None


def told(before: Organization, after: Organization) -> Iterator[str]:
    """What a change did, in the words of the audit log. Addresses are counted, not named."""
    if before.name != after.name:
        yield f"Changed name: {before.name} → {after.name}"
    if before.plan != after.plan:
        yield f"Changed plan: {before.plan} → {after.plan}"
    if before.require_seats != after.require_seats:
        yield f"{'Requires' if after.require_seats else 'No longer requires'} seats"
    yield from _lists_told(before.settings, after.settings)
    if before.settings.data_collection != after.settings.data_collection:
        yield f"Changed data collection: {before.settings.data_collection} → {after.settings.data_collection}"
    yield from _default_told(before.settings.default_model, after.settings.default_model)
    old, new = before.settings, after.settings
    yield from _text_told("First characters of prompts", old.prompt_prefix_days, new.prompt_prefix_days)
    yield from _text_told("Requests and answers", old.request_log_days, new.request_log_days)
    yield from _preferences_told(before.stored, after.stored)


def _lists_told(before: OrganizationSettings, after: OrganizationSettings) -> Iterator[str]:
    lists = (
        ("models", before.model_allow_list, after.model_allow_list),
        ("providers", before.provider_allow_list, after.provider_allow_list),
        ("denied models", before.model_deny_list, after.model_deny_list),
        ("denied providers", before.provider_deny_list, after.provider_deny_list),
    )
    for what, old, new in lists:
        for word, names in (("Added", [n for n in new if n not in old]), ("Removed", [n for n in old if n not in new])):
            if names:
                yield f"{word} {what}: {', '.join(names)}"
        if old != new and set(old) == set(new):
            yield "Updated allow lists"


def _default_told(old: str | None, new: str | None) -> Iterator[str]:
    if old == new:
        return
    if not new:
        yield f"Removed default model: {old}"
    elif old:
        yield f"Changed default model: {old} → {new}"
    else:
        yield f"Set default model: {new}"


def _text_told(what: str, old: int | None, new: int | None) -> Iterator[str]:
    if old != new:
        yield f"{what} are kept for {new} days" if new else f"{what} are no longer kept"


def _preferences_told(before: Mapping[str, Setting], after: Mapping[str, Setting]) -> Iterator[str]:
    old, new = read_preferences(before), read_preferences(after)
    alert = (new.minimum_balance_microdollars, new.minimum_balance_alert_email)
    if alert != (old.minimum_balance_microdollars, old.minimum_balance_alert_email):
        amount, addresses = alert
        yield f"Changed minimum balance alert: {amount} micro-dollars, {len(addresses)} addresses"
    if old.code_indexing_enabled != new.code_indexing_enabled:
        yield f"{'Enabled' if new.code_indexing_enabled else 'Disabled'} code indexing"


def _with_fitting_default(
    found: Organization, change: OrganizationChange, checked: Mapping[str, Setting]
) -> OrganizationChange | Problem:
    """A default model must be allowed: one that is set now is refused otherwise, one that was set before is cleared.
    `checked` are the settings of the change as they are stored."""
    lists = {name: value for name, value in checked.items() if name in MODEL_LISTS}
    named = checked.get("default_model")
    model = named or found.settings.default_model
    if not isinstance(model, str) or not (lists or named):
        return change
    current = {name: getattr(found.settings, name) for name in MODEL_LISTS}
    policy = policy_of(ENTERPRISE, OrganizationSettings(**{**current, **{n: v or () for n, v in lists.items()}}))
    if policy is None or policy.admits(model.strip().lower()):
        return change
    if named:
        shown = f"Default model '{named}' is not in the organization's allowed models list"
        return Problem(Code.BAD_REQUEST, shown=shown)
    return replace(change, settings={**change.settings, "default_model": None})


async def _is_owner(office: Office, found: Organization) -> bool:
    return await role_of(office.store, office.actor, found.id) is Role.OWNER


def _owner(organization_id: str) -> Owner:
    return Owner(OwnerKind.ORGANIZATION, organization_id)
