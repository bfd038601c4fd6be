"""Which role may do what to which: no one grants, changes or takes away what is not below them. Pure.

An owner may do so with every role, owners included; who is not an owner only with roles below their own. Source:
catalog-and-clients E.6 rule 1; guarantees A3.
"""

from collections.abc import Mapping
from typing import Final

from tollway.identity.caller import Role

_RANKS: Final[Mapping[Role, int]] = {Role.MEMBER: 0, Role.BILLING_MANAGER: 1, Role.OWNER: 2}


def may_touch(actor: Role, role: Role) -> bool:
    """Whether one with the role `actor` may grant, change or take away `role`."""
    return actor is Role.OWNER or _RANKS[actor] > _RANKS[role]
