"""What a credential store holds: one JSON object by provider id, entries of other programs kept as they are.

Source: catalog-and-clients D.2.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct, ValidationError, convert, to_builtins

from tollway.client.errors import ClientError


class _Secret(Struct, frozen=True, omit_defaults=True, tag_field="type"):
    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"


class ApiCredential(_Secret, frozen=True, tag="api"):
    """A key that was pasted. `metadata[HOME]`: the gateway it is for, the only one it is sent to."""

    key: str
    metadata: dict[str, str] | None = None

    def __repr__(self) -> str:
        return "ApiCredential(…)"


class OauthCredential(_Secret, frozen=True, tag="oauth", rename="camel"):
    """A token that a gateway handed out. `expires`: unix milliseconds. `account_id`: the organization it acts for.
    `enterprise_url`: the gateway that gave it, the only one it is sent to."""

    refresh: str
    access: str
    expires: int
    account_id: str = ""
    enterprise_url: str = ""

    def __repr__(self) -> str:
        return "OauthCredential(…)"


class WellKnownCredential(_Secret, frozen=True, tag="wellknown"):
    """A token for the environment variable `key`."""

    key: str
    token: str

    def __repr__(self) -> str:
        return "WellKnownCredential(…)"


Credential = ApiCredential | OauthCredential | WellKnownCredential


class Credentials(Struct, frozen=True):
    """Entries by provider id. `others` are those of an unknown shape: ignored, and written back as they were."""

    entries: Mapping[str, Credential] = {}
    others: Mapping[str, Any] = {}

    def __repr__(self) -> str:
        return "Credentials(…)"

    def get(self, provider_id: str) -> Credential | None:
        return self.entries.get(provider_id)

    def with_entry(self, provider_id: str, credential: Credential) -> "Credentials":
        """With this one instead of what stood there."""
        provider_id = normal_provider_id(provider_id)
        rest = self.without(provider_id)
        return Credentials({**rest.entries, provider_id: credential}, rest.others)

    def without(self, provider_id: str) -> "Credentials":
        """Nothing of this provider is left, whatever its shape."""
        provider_id = normal_provider_id(provider_id)
        return Credentials(
            {name: one for name, one in self.entries.items() if name != provider_id},
            {name: one for name, one in self.others.items() if name != provider_id},
        )


HOME: Final = "url"
NONE: Final = Credentials()


def home_of(credential: Credential | None) -> str:
    """The address, without a path, of the only gateway it is for; empty: it goes wherever its provider is."""
    if isinstance(credential, OauthCredential):
        return credential.enterprise_url
    return (credential.metadata or {}).get(HOME, "") if isinstance(credential, ApiCredential) else ""


def normal_provider_id(text: str) -> str:
    """Source: D.2.4."""
    return text.strip().rstrip("/")


def read_credentials(text: str, name: str) -> Credentials:
    """`name` is the file or variable it comes from. Raises ClientError naming it; the text is never quoted."""
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        tree = None
    if not isinstance(tree, dict):
        raise ClientError(f"{name}: is not a credential store (one JSON object); it was left as it is")
    entries: dict[str, Credential] = {}
    others: dict[str, Any] = {}
    for provider_id, value in tree.items():
        try:
            entries[normal_provider_id(provider_id)] = convert(value, Credential)
        except ValidationError:
            others[provider_id] = value
    return Credentials(entries, others)


def write_credentials(credentials: Credentials) -> str:
    """As the file holds it: indented by two, entries in a stable order."""
    tree = {**credentials.others, **{name: to_builtins(one) for name, one in credentials.entries.items()}}
    return json.dumps(tree, indent=2, ensure_ascii=False) + "\n"
