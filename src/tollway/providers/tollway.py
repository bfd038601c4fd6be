"""Another Tollway, or a gateway of the same protocol: where it is, only who uses it can say."""

from typing import Final

from tollway.catalog.client_listing import TOLLWAY_LIST
from tollway.providers.client_access import ClientAccess
from tollway.providers.dialect import ask_for_cost
from tollway.providers.provider import Provider

PROVIDER: Final = Provider(
    id="tollway",
    name="Tollway",
    dialect="openrouter",
    base_url="",
    identifies_application=True,
    needs_key=True,
    obeys_order=True,
    rules=(ask_for_cost,),
    source="https://github.com/tollway/tollway",
    checked="2026-11-26",
    client=ClientAccess(
        key_variables=("TOLLWAY_API_KEY",),
        listing=TOLLWAY_LIST,
        is_open=True,
        popularity=-1,
        address_variable="TOLLWAY_API_URL",
        address_path="/api/gateway",
        lists_for_organizations=True,
        has_device_login=True,
        site="https://github.com/tollway/tollway",
    ),
)
