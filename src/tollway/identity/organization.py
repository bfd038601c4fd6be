"""What an organization decides for its members, as it is stored: its plan and its settings.

Source: request-path 9.7, 9.13; catalog-and-clients F.5.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct, ValidationError, convert

TEAMS: Final = "teams"
ENTERPRISE: Final = "enterprise"
PLANS: Final = (TEAMS, ENTERPRISE)
KEPT_DAYS_MAX: Final = 365

_Days = Annotated[int, Meta(ge=1, le=KEPT_DAYS_MAX)]


class OrganizationSettings(Struct, frozen=True):
    """The settings that decide about requests; nothing set restricts nothing.

    Model lists name model ids (`vendor/name`) and namespaces (`vendor/*`), provider lists inference providers. The four
    lists count on the plan `enterprise` only, `data_collection` on every plan. `default_model`: what clients of members
    begin with, if it is allowed. `*_days`: for how long the first characters of prompts are kept, and whole requests
    with their answers; None: not at all (guarantees P1).
    """

    model_allow_list: tuple[str, ...] = ()
    provider_allow_list: tuple[str, ...] = ()
    model_deny_list: tuple[str, ...] = ()
    provider_deny_list: tuple[str, ...] = ()
    data_collection: Literal["allow", "deny"] | None = None
    default_model: str | None = None
    prompt_prefix_days: _Days | None = None
    request_log_days: _Days | None = None


NO_SETTINGS: Final = OrganizationSettings()
SETTING_NAMES: Final = OrganizationSettings.__struct_fields__


def read_settings(stored: Mapping[str, Any]) -> OrganizationSettings:
    """The known ones among the stored settings, whose other keys are somebody else's; null is as good as absent.

    Raises ValueError when one has a wrong type: what cannot be read must not count as no restriction.
    """
    named = {name: stored[name] for name in SETTING_NAMES if stored.get(name) is not None}
    try:
        return convert(named, OrganizationSettings)
    except ValidationError as error:
        raise ValueError(f"organization settings: {error}") from None


def merge_settings(stored: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`stored` with the changed ones in place; an empty one is removed, and keys that are not ours stay."""
    merged = {**stored, **{name: list(v) if isinstance(v, tuple) else v for name, v in changes.items()}}
    return {name: value for name, value in merged.items() if name not in changes or value}
