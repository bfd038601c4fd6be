"""Service accounts: users that are programs. Pure.

An administrator makes them and adds them to organizations; they have keys, limits and usage like people. They come and
go with whoever runs Tollway: no organization removes one, none is invited, and none owns an organization, because
somebody must be there who answers. Source: catalog-and-clients E.6.
"""

from typing import Final

from tollway.errors import Code, Problem
from tollway.identity.caller import Role

NOT_REMOVED: Final = Problem(Code.FORBIDDEN, shown="Service account users cannot be removed")
NOT_INVITED: Final = Problem(Code.FORBIDDEN, shown="Service account users cannot accept invitations")
NO_OWNER: Final = Problem(Code.FORBIDDEN, shown="Service account users cannot own an organization")
NO_PERSON: Final = Problem(Code.FORBIDDEN, shown="Keys are made for service account users only")


def check_role(is_bot: bool, role: Role) -> Problem | None:
    """Whether that user may have that role. Refuses: forbidden."""
    return NO_OWNER if is_bot and role is Role.OWNER else None
