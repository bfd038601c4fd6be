"""What a client on a developer's machine knows about a gateway besides how it is spoken to: keys, its list, its place.

Source: catalog-and-clients C.1, C.8, C.11.
"""

from typing import Final

from msgspec import Struct

from tollway.catalog.client_listing import Listing

LIST_S: Final = 10.0  # for all of an answer; a peer that drips bytes gains nothing


class ClientAccess(Struct, frozen=True):
    """One built-in gateway, as data.

    `key_variables`: the environment variables that may hold its key, the first one set counts. `listing`: how its list
    of models is read. `has_public_list`: the list is asked for without the key, and may be asked for by who has none
    and names the gateway. `may_need_no_key`: a key is sent if there is one, and who names the gateway need not have
    one. `is_open`: nor who does not name it, because it has models for everybody. `popularity`: its place among the
    popular ones, ascending; None: it stands with the others, by name. `address_variable` names the environment variable
    with its address, to which `address_path` is added. `lists_for_organizations`: members have a list of their own
    below the address. `has_device_login`: a key is got by approving a code in a browser.
    """

    key_variables: tuple[str, ...]
    listing: Listing
    site: str
    support: str = ""
    has_public_list: bool = False
    may_need_no_key: bool = False
    is_open: bool = False
    popularity: int | None = None
    address_variable: str = ""
    address_path: str = ""
    lists_for_organizations: bool = False
    has_device_login: bool = False
