from itertools import product

import pytest

from tollway.admin.roles import may_touch
from tollway.identity.caller import Role

BELOW = {(Role.BILLING_MANAGER, Role.MEMBER)}


@pytest.mark.parametrize(("actor", "role"), list(product(Role, Role)))
def test_owners_touch_all_and_others_what_is_below_them(actor: Role, role: Role) -> None:
    assert may_touch(actor, role) == (actor is Role.OWNER or (actor, role) in BELOW)
