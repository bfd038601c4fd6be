"""Checks of an organization's settings, and of the lists of keys, before they are stored: what can never match is
refused, because an allow-list of such entries locks everybody out. Source: request-path 9.6, 9.7; catalog-and-clients
E.6 rule 4, E.7.
"""

from collections.abc import Mapping
from typing import Final

from tollway.admin.fields import bad
from tollway.admin.preferences import PREFERENCE_NAMES, check_preferences
from tollway.admin.records import Setting
from tollway.errors import Problem
from tollway.identity.organization import KEPT_DAYS_MAX, SETTING_NAMES

LIST_ENTRIES_MAX: Final = 500
ENTRY_CHARS_MAX: Final = 256
DATA_COLLECTION: Final = ("allow", "deny")
MODEL_LISTS: Final = frozenset({"model_allow_list", "model_deny_list"})
DEFAULT_MODEL: Final = "default_model"
TEXT_DAYS: Final = frozenset({"prompt_prefix_days", "request_log_days"})
PROVIDER_LISTS: Final = frozenset({"provider_allow_list", "provider_deny_list"})

_DAYS: Final = f"must be a number of days from 1 to {KEPT_DAYS_MAX}"


def check_settings(settings: Mapping[str, Setting]) -> dict[str, Setting] | Problem:
    """The settings as they are stored: entries trimmed and lower-cased, as ids are compared, each once, in their order.

    Refuses: bad_request.
    """
    checked = check_preferences({name: value for name, value in settings.items() if name in PREFERENCE_NAMES})
    if isinstance(checked, Problem):
        return checked
    for name, value in settings.items():
        if name in PREFERENCE_NAMES:
            continue
        found = _check(name, value)
        if isinstance(found, Problem):
            return found
        checked[name] = found
    return checked


def _check(name: str, value: Setting) -> Setting | Problem:
    if name not in SETTING_NAMES:
        return bad(name, "is no setting of an organization")
    if value is None:
        return None
    if name in TEXT_DAYS:
        return value if type(value) is int and 1 <= value <= KEPT_DAYS_MAX else bad(name, _DAYS)
    if name == DEFAULT_MODEL:
        return _check_model(name, value) if isinstance(value, str) else bad(name, "must be a model id")
    if name in MODEL_LISTS | PROVIDER_LISTS:
        return check_list(name, value) if isinstance(value, tuple) else bad(name, "must be a list")
    return value if value in DATA_COLLECTION else bad(name, f"must be one of {', '.join(DATA_COLLECTION)}")


def _check_model(name: str, value: str) -> Setting | Problem:
    """Empty removes it."""
    named = value.strip()
    if "*" in named:
        return bad(name, "must be one model, without a wildcard")
    wrong = _what_is_wrong(named, may_be_namespace=False) if named else ""
    return bad(name, wrong) if wrong else named or None


def check_list(name: str, entries: tuple[str, ...]) -> tuple[str, ...] | Problem:
    """Of models where `name` is one of MODEL_LISTS, else of providers. Refuses: bad_request."""
    trimmed = tuple(dict.fromkeys(entry.strip().lower() for entry in entries))
    if len(trimmed) > LIST_ENTRIES_MAX:
        return bad(name, f"must have at most {LIST_ENTRIES_MAX} entries")
    for place, entry in enumerate(trimmed, 1):
        wrong = _what_is_wrong(entry, may_be_namespace=name in MODEL_LISTS)
        if wrong:
            return bad(name, f"entry {place} {wrong}")
    return trimmed


def _what_is_wrong(entry: str, *, may_be_namespace: bool) -> str:
    if not 0 < len(entry) <= ENTRY_CHARS_MAX or not entry.isprintable() or " " in entry:
        return f"must have 1 to {ENTRY_CHARS_MAX} characters, without spaces"
    namespace = entry.removesuffix("/*") if may_be_namespace else entry
    if "*" in namespace or (namespace != entry and "/" in namespace):
        return (
            "has a wildcard where none is: only a whole namespace, vendor/*, is one"
            if may_be_namespace
            else ("has a wildcard: providers are named one by one")
        )
    return ""
