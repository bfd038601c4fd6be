"""Whose requests' text is kept: the operator permits it, and the organization wants it, for so many days. Pure.

Both must agree, because either of the two answers for it. Source: guarantees P1.
"""

from dataclasses import dataclass
from typing import Final

from tollway.identity.organization import OrganizationSettings

EVERY: Final = "*"


@dataclass(frozen=True, slots=True)
class KeptText:
    """For how many days an organization's text is kept; None: none is."""

    prompt_prefix_days: int | None = None
    request_log_days: int | None = None


@dataclass(frozen=True, slots=True)
class TextPermissions:
    """Ids of organizations whose text may be kept if they want it; EVERY among them stands for all."""

    prompt_prefixes: frozenset[str] = frozenset()
    requests: frozenset[str] = frozenset()

    def in_force(self, organization_id: str, settings: OrganizationSettings) -> KeptText:
        """What becomes of the text of requests made for the organization."""
        return KeptText(
            settings.prompt_prefix_days if _names(self.prompt_prefixes, organization_id) else None,
            settings.request_log_days if _names(self.requests, organization_id) else None,
        )


NOBODY: Final = TextPermissions()


def _names(permitted: frozenset[str], organization_id: str) -> bool:
    return organization_id in permitted or EVERY in permitted
