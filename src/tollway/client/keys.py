"""Which key a gateway is called with: one answer for its catalog, its requests and its listing.

Precedence: configuration, then the credential store, then the environment. Source: catalog-and-clients C.3, D.3.4.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

from msgspec import Struct

from tollway.client.configuration import ProviderConfig
from tollway.client.credentials import ApiCredential, Credential, OauthCredential

_SHOWN_CHARACTERS: Final = 4
_SHOWN_FROM_CHARACTERS: Final = 16


class KeySource(StrEnum):
    """Where a key was found."""

    CONFIGURATION = "configuration"
    STORE = "store"
    ENVIRONMENT = "environment"


class Key(Struct, frozen=True):
    """`text` goes into the Authorization header and nowhere else. `variable`: its environment variable, if it has one.
    `organization_id`: whom the stored login acts for."""

    text: str
    source: KeySource
    variable: str = ""
    organization_id: str = ""

    def __repr__(self) -> str:
        return f"Key({masked(self.text)!r}, {self.source.value})"


def resolve_key(
    config: ProviderConfig,
    stored: Credential | None,
    environ: Mapping[str, str],
    variables: Sequence[str],
    *,
    now_ms: int = 0,
    takes_oauth: bool = False,
) -> Key | None:
    """The key, or None. variables: those of the gateway's record; `provider.<id>.env` replaces them.

    stored: the entry of the store, None also where it belongs to another address. takes_oauth: an entry of a device
    login counts, until it expires (now_ms: unix milliseconds).
    """
    if text := config.options.api_key.strip():
        return Key(text, KeySource.CONFIGURATION)
    if config.is_address_foreign:
        return None
    if found := _from_store(stored, now_ms, takes_oauth):
        return found
    for name in variables if config.env is None else config.env:
        if text := environ.get(name, "").strip():
            return Key(text, KeySource.ENVIRONMENT, variable=name)
    return None


def _from_store(stored: Credential | None, now_ms: int, takes_oauth: bool) -> Key | None:
    if isinstance(stored, ApiCredential) and (text := stored.key.strip()):
        return Key(text, KeySource.STORE)
    if (
        takes_oauth
        and isinstance(stored, OauthCredential)
        and stored.expires > now_ms
        and (text := stored.access.strip())
    ):
        return Key(text, KeySource.STORE, organization_id=stored.account_id)
    return None


def masked(text: str) -> str:
    """`…` and the last four characters of a key that is long enough to lose them. Source: guarantees K3."""
    return f"…{text[-_SHOWN_CHARACTERS:]}" if len(text) >= _SHOWN_FROM_CHARACTERS else "…"
