"""What an organization has set besides what restricts its members' requests: kept in the same stored object.

Nothing here decides about a request, so what cannot be read is as good as absent. Source: catalog-and-clients E.6, F.5.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct, ValidationError, convert

from tollway.admin.fields import bad, check_amount, check_email
from tollway.admin.records import Setting
from tollway.billing.notices import MINIMUM, MINIMUM_USD, read_minimum
from tollway.errors import Problem

ALERT_ADDRESSES_MAX: Final = 20
_ALERT: Final = (MINIMUM, "minimum_balance_alert_email")


class Preferences(Struct, frozen=True):
    """`minimum_balance_*`: from which balance on whom to tell; both or none. Amounts in micro-dollars."""

    minimum_balance_microdollars: int | None = None
    minimum_balance_alert_email: tuple[str, ...] = ()
    code_indexing_enabled: bool = False


NO_PREFERENCES: Final = Preferences()
PREFERENCE_NAMES: Final = Preferences.__struct_fields__


def read_preferences(stored: Mapping[str, Any]) -> Preferences:
    found: dict[str, Any] = {}
    for name in PREFERENCE_NAMES:
        if name == MINIMUM:
            found[name] = read_minimum(stored)
            continue
        try:
            one = convert({name: stored[name]}, Preferences) if stored.get(name) is not None else NO_PREFERENCES
        except ValidationError:
            continue
        found[name] = getattr(one, name)
    return Preferences(**found)


def check_preferences(entered: Mapping[str, Setting]) -> dict[str, Setting] | Problem:
    """As they are stored; None and nothing take one away. Refuses: bad_request."""
    checked: dict[str, Setting] = {}
    for name, value in entered.items():
        found = _check(name, value)
        if isinstance(found, Problem):
            return found
        checked[name] = found
    if any(name in checked for name in _ALERT):
        if bool(checked.get(MINIMUM)) != bool(checked.get(_ALERT[1])):
            return bad(MINIMUM, "needs a positive amount and at least one address, or neither")
        checked[MINIMUM_USD] = None  # what came with the organization does not count any more
    return checked


def _check(name: str, value: Setting) -> Setting | Problem:
    if name not in PREFERENCE_NAMES:
        return bad(name, "is no setting of an organization")
    if not value:
        return None
    if name == "code_indexing_enabled":
        return value if value is True else bad(name, "must be true or false")
    if name == MINIMUM:
        return check_amount(name, value) if type(value) is int else bad(name, "must be an amount")
    return _check_addresses(name, value)


def _check_addresses(name: str, value: Setting) -> tuple[str, ...] | Problem:
    if not isinstance(value, tuple) or len(value) > ALERT_ADDRESSES_MAX:
        return bad(name, f"must be a list of at most {ALERT_ADDRESSES_MAX} e-mail addresses")
    addresses: list[str] = []
    for one in value:
        address = check_email(one)
        if isinstance(address, Problem):
            return bad(name, "has an entry that is not an e-mail address")
        addresses.append(address)
    return tuple(dict.fromkeys(addresses))
