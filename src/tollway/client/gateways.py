"""The gateways a client knows: built-in records joined with its configuration, its credentials and the environment.

This is the one place that decides where a gateway is and whose key it is called with; `auth`, `models` and `run` all
ask here. Source: catalog-and-clients C.3, C.4, C.8.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from tollway.catalog.client_listing import PLAIN_LIST
from tollway.client.configuration import ClientConfig, ProviderConfig
from tollway.client.credentials import Credential, Credentials, home_of
from tollway.client.errors import ClientError
from tollway.client.keys import Key, resolve_key
from tollway.providers.client_access import LIST_S, ClientAccess
from tollway.providers.provider import Provider

GENERIC: Final = "compatible"  # the record that a gateway resembles which only the configuration knows
_PACKAGES: Final = {  # as other programs call the dialects in a configuration that they share with us
    "@openrouter/ai-sdk-provider": "openrouter",
    "@ai-sdk/openai": "openai",
    "@ai-sdk/openai-compatible": GENERIC,
}
_ORGANIZATION: Final = "TOLLWAY_ORG_ID"


class Gateway(Struct, frozen=True):
    """One gateway as this user reaches it. `base_url` is empty where nobody said where it is.

    `provider` is the record by which its requests are shaped (dialect, rules); `config` what the user says of it;
    `organization_id` whom calls act for, empty: the user.
    """

    id: str
    name: str
    provider: Provider
    access: ClientAccess
    config: ProviderConfig
    base_url: str
    key: Key | None
    organization_id: str = ""

    @property
    def timeout_s(self) -> float:
        """Seconds for the whole list of models."""
        set_ms = self.config.options.timeout
        return LIST_S if set_ms is None or isinstance(set_ms, bool) else min(set_ms / 1000, LIST_S)

    @property
    def is_popular(self) -> bool:
        return self.access.popularity is not None

    def may_fetch(self, is_named: bool) -> bool:
        """Whether its list may be asked for. is_named: the user named it just now, which is consent. Source: C.4."""
        access = self.access
        may_anonymously = access.is_open or (is_named and (access.has_public_list or access.may_need_no_key))
        return bool(self.base_url) and (self.key is not None or may_anonymously)


def known_gateways(
    records: Mapping[str, Provider],
    config: ClientConfig,
    credentials: Credentials,
    environ: Mapping[str, str],
    now_ms: int,
    *,
    also_disabled: bool = False,
) -> dict[str, Gateway]:
    """Every gateway that is enabled, by id: the popular ones first, then the others by name (C.8).

    now_ms: unix milliseconds. also_disabled: for who names one in order to log in. Raises ClientError.
    """
    built_in = {name: record for name, record in records.items() if record.client}
    ids = [name for name in {**built_in, **config.provider} if also_disabled or config.is_enabled(name)]
    found = [_gateway(name, records, config, credentials.get(name), environ, now_ms) for name in ids]
    return {one.id: one for one in in_order(one for one in found if one)}


def in_order(gateways: Iterable[Gateway]) -> list[Gateway]:
    """As a picker shows them."""
    return sorted(gateways, key=_place)


def _place(one: Gateway) -> tuple[bool, int, str, str]:
    return not one.is_popular, one.access.popularity or 0, one.name.casefold(), one.id


def find_gateway(gateways: Mapping[str, Gateway], text: str) -> Gateway | None:
    """By id, or by the name that is shown."""
    wanted = text.strip().casefold()
    by_name = (one for one in gateways.values() if one.name.casefold() == wanted)
    return gateways.get(text.strip()) or next(by_name, None)


def _gateway(
    gateway_id: str,
    records: Mapping[str, Provider],
    config: ClientConfig,
    stored: Credential | None,
    environ: Mapping[str, str],
    now_ms: int,
) -> Gateway | None:
    """None: the configuration only mentions it, and says too little to reach it."""
    settings = config.provider.get(gateway_id, ProviderConfig())
    record = records.get(gateway_id)
    if record is None or record.client is None:
        if not settings.options.base_url:
            return None
        record = _like(gateway_id, settings, records)
    access = record.client
    assert access
    base_url = _base_url(gateway_id, record, access, settings, stored, environ)
    key = resolve_key(
        settings,
        stored if _belongs_to(stored, base_url) else None,
        environ,
        access.key_variables,
        now_ms=now_ms,
        takes_oauth=access.has_device_login,
    )
    organization = environ.get(_ORGANIZATION, "").strip() or (key.organization_id if key else "")
    return Gateway(
        id=gateway_id,
        name=settings.name or record.name,
        provider=record,
        access=access,
        config=settings,
        base_url=base_url,
        key=key,
        organization_id=organization if access.lists_for_organizations else "",
    )


def _like(gateway_id: str, settings: ProviderConfig, records: Mapping[str, Provider]) -> Provider:
    """One that only the configuration knows, spoken to as the built-in one that its `dialect` (or `npm`) names."""
    dialect = settings.dialect or _PACKAGES.get(settings.npm, GENERIC)
    template = records.get(dialect)
    if template is None:
        known = ", ".join(sorted({*_PACKAGES.values()}))
        raise ClientError(f"provider {gateway_id}: its dialect must be one of {known}")
    listing = template.client.listing if template.client else PLAIN_LIST
    access = ClientAccess(key_variables=(), listing=listing, site="", may_need_no_key=True)
    return replace(template, id=gateway_id, name=settings.name or gateway_id, base_url="", client=access)


def _base_url(
    gateway_id: str,
    record: Provider,
    access: ClientAccess,
    settings: ProviderConfig,
    stored: Credential | None,
    environ: Mapping[str, str],
) -> str:
    """Configuration, then the environment, then where the stored login came from, then the record."""
    from_environment = environ.get(access.address_variable, "").strip() if access.address_variable else ""
    if settings.options.base_url.strip():
        found = settings.options.base_url.strip().rstrip("/")
    elif from_environment:
        found = from_environment.rstrip("/").removesuffix(access.address_path) + access.address_path
    elif access.has_device_login and is_address(home_of(stored)):
        found = home_of(stored).rstrip("/") + access.address_path
    else:
        found = record.base_url
    if found and not is_address(found):
        raise ClientError(f"provider {gateway_id}: its address must be http(s)://host[:port][/path]")
    return found


def _belongs_to(stored: Credential | None, base_url: str) -> bool:
    """What was stored for one gateway goes to no other."""
    home = home_of(stored)
    return not home or (is_address(home) and origin_of(home) == origin_of(base_url))


def is_address(text: str) -> bool:
    """Whether it says where a gateway is, and nothing else: no user, query or fragment, plain ASCII."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    is_plain = text.isascii() and text.isprintable() and " " not in text and "\\" not in text
    has_extras = "@" in parts.netloc or "?" in text or "#" in text
    return is_plain and parts.scheme in {"http", "https"} and bool(parts.hostname) and not has_extras


def origin_of(address: str) -> tuple[str, str, int]:
    """Scheme, host and port of an address that `is_address`."""
    parts = urlsplit(address)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def is_private_connection(address: str) -> bool:
    """Whether nobody on the way can read what is sent: TLS, or this very machine."""
    scheme, host, _ = origin_of(address)
    return scheme == "https" or host in {"localhost", "127.0.0.1", "::1"}
