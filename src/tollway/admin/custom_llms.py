"""Custom LLMs: models that the operator has at a vendor, and which organizations are given them.

Operators alone manage them. A key goes in and never comes out again: what is shown of it are its last four characters,
if it is long enough. Source: request-path 8.3, response-path 5.1; guarantees K1, K3.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from tollway.admin.fields import bad, check_reference, check_text, missing
from tollway.admin.llm_records import CustomLlm, LlmFields
from tollway.admin.office import SETTINGS_CHANGE
from tollway.admin.organizations import find_organization
from tollway.admin.own_keys import KEY_CHARS_MAX
from tollway.admin.ownership import OPERATOR
from tollway.admin.records import AuditEntry
from tollway.admin.store import AdminStore
from tollway.errors import Code, Problem
from tollway.identity.owned import llm_place
from tollway.identity.sealing import Place, Sealed
from tollway.ids import new_id
from tollway.providers.custom_llm import PROVIDERS
from tollway.providers.own_keys import OwnKey, last_four
from tollway.providers.registry import locate
from tollway.settings import SettingsError
from tollway.wire.chat import MODEL_ID_CHARS_MAX
from tollway.wire.dialects.parameters import EFFORTS, VERBOSITIES

TOKENS_MAX: Final = 2**31 - 1
_NO_MODEL: Final = "custom LLM"


@dataclass(frozen=True, slots=True)
class LlmDesk:
    """What the use cases work with. `prefix`: what the ids of custom LLMs begin with; `seal` (the secret, its place)
    makes what is stored."""

    store: AdminStore
    prefix: str
    seal: Callable[[str, Place], Sealed]
    now: datetime


async def add_llm(desk: LlmDesk, public_id: str, fields: LlmFields, key: str) -> CustomLlm | Problem:
    """`public_id` is lower-cased. Refuses: bad_request, conflict (there is one of that id)."""
    id_ = _check_id(desk, public_id)
    checked = _check_fields(fields)
    for one in (id_, checked):
        if isinstance(one, Problem):
            return one
    secret = _check_key(key)
    if isinstance(secret, Problem):
        return secret
    assert isinstance(id_, str)
    assert isinstance(checked, LlmFields)
    row = CustomLlm(id_, checked, last_four(OwnKey("", secret)), (), desk.now, desk.now)
    if not await desk.store.add_llm(row, desk.seal(secret, llm_place(id_))):
        return Problem(Code.CONFLICT, f"there is a custom LLM {id_!r} already", shown=f"there is {id_} already")
    return row


async def change_llm(
    desk: LlmDesk, named: str, change: Callable[[LlmFields], LlmFields], key: str | None = None
) -> CustomLlm | Problem:
    """`change` makes the new fields of those that are stored; `key` None: it keeps its own.

    Refuses: bad_request, not_found.
    """
    found = await find_llm(desk.store, named)
    if isinstance(found, Problem):
        return found
    fields = _check_fields(change(found.fields))
    if isinstance(fields, Problem):
        return fields
    row, sealed = replace(found, fields=fields, updated_at=desk.now), None
    if key is not None:
        secret = _check_key(key)
        if isinstance(secret, Problem):
            return secret
        row = replace(row, last_four=last_four(OwnKey("", secret)))
        sealed = desk.seal(secret, llm_place(found.public_id))
    return row if await desk.store.change_llm(row, sealed) else missing(_NO_MODEL, named)


async def remove_llm(desk: LlmDesk, named: str) -> CustomLlm | Problem:
    """For good, and from every organization. Refuses: not_found."""
    found = await find_llm(desk.store, named)
    if isinstance(found, Problem):
        return found
    audits = tuple(_audit(desk, id_, "Removed", found) for id_ in found.organizations)
    return found if await desk.store.remove_llm(found.public_id, audits) else missing(_NO_MODEL, named)


async def assign_llm(desk: LlmDesk, named: str, organization: str, *, assigned: bool = True) -> CustomLlm | Problem:
    """Give it to an organization (by id or name), or take it back. Twice is as once.

    Refuses: not_found, conflict (several organizations have that name).
    """
    found = await find_llm(desk.store, named)
    if isinstance(found, Problem):
        return found
    whose = await find_organization(desk.store, organization)
    if isinstance(whose, Problem):
        return whose
    if (whose.id in found.organizations) != assigned:
        audit = _audit(desk, whose.id, "Assigned" if assigned else "Unassigned", found)
        await desk.store.assign_llm(found.public_id, whose.id, assigned, audit)
    return await find_llm(desk.store, found.public_id)


async def find_llm(store: AdminStore, named: str) -> CustomLlm | Problem:
    """Refuses: not_found."""
    return await store.find_llm(check_reference(named).lower()) or missing(_NO_MODEL, named)


def _check_id(desk: LlmDesk, public_id: str) -> str | Problem:
    value = check_text("id", public_id, least=1, most=MODEL_ID_CHARS_MAX)
    if isinstance(value, Problem):
        return value
    if not value.startswith(desk.prefix) or value == desk.prefix:
        return bad("id", f"must begin with {desk.prefix}")
    return value.lower()


def _check_fields(fields: LlmFields) -> LlmFields | Problem:
    """As they are stored."""
    name = check_text("name", fields.display_name, least=1)
    internal_id = check_text("model", fields.internal_id, least=1, most=MODEL_ID_CHARS_MAX)
    base_url = fields.base_url.strip().rstrip("/")
    refused = [one for one in (name, internal_id) if isinstance(one, Problem)] or _refusals(fields, base_url)
    if refused:
        return refused[0]
    return replace(fields, display_name=str(name), internal_id=str(internal_id), base_url=base_url)


def _refusals(fields: LlmFields, base_url: str) -> list[Problem]:
    found: list[Problem] = []
    choices = (
        ("vendor", fields.vendor, PROVIDERS),
        ("verbosity", fields.verbosity, VERBOSITIES),
        ("reasoning effort", fields.reasoning_effort, EFFORTS),
    )
    for name, chosen, known in choices:
        if chosen is not None and chosen not in known:
            found.append(bad(name, f"must be one of {', '.join(sorted(known))}"))
    if not 1 <= fields.context_length <= TOKENS_MAX:
        found.append(bad("context length", "must be a number of tokens"))
    if not 0 <= fields.completion_tokens_max <= TOKENS_MAX:
        found.append(bad("completion tokens", "must be a number of tokens, or 0"))
    try:
        locate("base URL", base_url)
    except SettingsError as error:
        found.append(Problem(Code.BAD_REQUEST, str(error), shown=str(error)))
    return found


def _check_key(key: str) -> str | Problem:
    """Trimmed. No refusal repeats it."""
    value = key.strip()
    if not 1 <= len(value) <= KEY_CHARS_MAX:
        return bad("key", f"must have 1 to {KEY_CHARS_MAX} characters")
    if not value.isascii() or not value.isprintable():
        return bad("key", "must be printable ASCII")
    return value


def _audit(desk: LlmDesk, organization_id: str, what: str, llm: CustomLlm) -> AuditEntry:
    message = f"{what} custom LLM: {llm.public_id}"
    return AuditEntry(new_id(), organization_id, OPERATOR.name, SETTINGS_CHANGE, message, desk.now)
