"""Auto top-up of users and organizations: whether it is wanted, and how much. The payment is made elsewhere."""

from typing import Annotated

from pydantic import Field

from tollway.admin import top_ups
from tollway.admin.credits import Owner as Account
from tollway.admin.top_ups import AutoTopUp, TopUpWish
from tollway.errors import Problem
from tollway.http.management.call import Access, Current
from tollway.http.management.organizations import ONE
from tollway.http.management.table import Body, Table


class TopUpBody(Body):
    """What is left out stays; an amount alone turns it on. `reason`: why it is off, such as a declined payment."""

    is_enabled: bool | None = None
    amount_microdollars: Annotated[int | None, Field(ge=top_ups.AMOUNT_MIN, le=top_ups.AMOUNT_MAX)] = None
    reason: Annotated[str | None, Field(min_length=1, max_length=100)] = None

    @property
    def wish(self) -> TopUpWish:
        return TopUpWish(self.amount_microdollars, self.is_enabled, self.reason)


def add_top_ups(table: Table) -> None:
    user, organization = "/users/{user_id}/auto-top-up", f"{ONE}/auto-top-up"
    table.add("GET", user, Access.ADMINISTRATOR, show_auto_top_up, AutoTopUp)
    table.add("PATCH", user, Access.ADMINISTRATOR, set_auto_top_up, AutoTopUp)
    table.add("GET", organization, Access.CHANGE, show_organization_auto_top_up, AutoTopUp)
    table.add("PATCH", organization, Access.ADMINISTRATOR, set_organization_auto_top_up, AutoTopUp)


async def show_auto_top_up(call: Current, user_id: str) -> AutoTopUp | Problem:
    """Of a user."""
    return await top_ups.show_top_up(call.services.store, Account(user=user_id), call.services.top_ups)


async def set_auto_top_up(call: Current, user_id: str, body: TopUpBody) -> AutoTopUp | Problem:
    """Of a user: on with an amount, or off."""
    return await top_ups.set_top_up(call.office, Account(user=user_id), body.wish, call.services.top_ups)


async def show_organization_auto_top_up(call: Current) -> AutoTopUp | Problem:
    """Of an organization."""
    return await top_ups.show_top_up(call.services.store, Account(organization=call.found.id), call.services.top_ups)


async def set_organization_auto_top_up(call: Current, body: TopUpBody) -> AutoTopUp | Problem:
    """Of an organization: on with an amount, or off."""
    account = Account(organization=call.found.id)
    return await top_ups.set_top_up(call.office, account, body.wish, call.services.top_ups)
