"""Where requests may go that somebody else than the operator directs: the operator's exceptions included. Pure.

Source: request-path 12.5, guarantees N1.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_address
from typing import TYPE_CHECKING, Final

from tollway.identity.address_kinds import INTERNAL, AddressKind, kind_of
from tollway.identity.authority import read_authority
from tollway.settings_error import SettingsError
from tollway.wire.address import IpAddress

if TYPE_CHECKING:
    from tollway.settings import Settings

HTTPS_PORT: Final = 443
_ENDPOINT: Final = re.compile(r"(?:(https?)://)?([^/]*)")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A place that the operator opens. `may_be_plain`: without TLS, because it is written with http."""

    host: str
    port: int
    may_be_plain: bool


@dataclass(frozen=True, slots=True)
class OutboundRules:
    """ports: those that are open besides 443. endpoints: by host and port, whether without TLS as well.

    listeners: addresses and ports on which Tollway itself listens; an unspecified address stands for all of loopback
    here, and for whatever else the machine has where that can be looked at (`upstream/guard.py`).
    """

    ports: frozenset[int] = frozenset()
    endpoints: Mapping[tuple[str, int], bool] = field(default_factory=dict)
    listeners: frozenset[tuple[IpAddress, int]] = frozenset()

    def may_be_plain(self, host: str, port: int) -> bool:
        """Whether that endpoint may be called without TLS."""
        return self.endpoints.get((host, port), False)

    def is_open(self, host: str, port: int) -> bool:
        """Whether that port may be called with TLS."""
        return port == HTTPS_PORT or port in self.ports or (host, port) in self.endpoints

    def refused_kind(self, host: str, port: int, address: IpAddress) -> AddressKind | None:
        """What keeps `host`, which resolves to `address`, from being called; None when nothing does.

        An endpoint that the operator opened may be internal. Nothing opens metadata services and Tollway's own
        listeners, nor places that are on no network of anybody's.
        """
        kind = kind_of(address)
        if self._is_own(address, kind, port):
            return AddressKind.OWN
        if kind is AddressKind.PUBLIC or (kind in INTERNAL and (host, port) in self.endpoints):
            return None
        return kind

    def is_everywhere(self, port: int) -> bool:
        """Whether Tollway listens on that port at every address of the machine."""
        return any(port == own_port and own.is_unspecified for own, own_port in self.listeners)

    def _is_own(self, address: IpAddress, kind: AddressKind, port: int) -> bool:
        return any(
            port == own_port and (address == own or (own.is_unspecified and kind is AddressKind.LOOPBACK))
            for own, own_port in self.listeners
        )


def outbound_rules(settings: "Settings") -> OutboundRules:
    """What the operator set. Raises SettingsError."""
    custom = settings.custom_upstreams
    endpoints = endpoints_of(custom.allowed_private_endpoints)
    if isinstance(endpoints, str):
        raise SettingsError(f"custom_upstreams.allowed_private_endpoints: {endpoints!r} is not host:port")
    return OutboundRules(frozenset(custom.allowed_ports), endpoints, frozenset({(_own(settings.host), settings.port)}))


def _own(host: str) -> IpAddress:
    """Where Tollway listens. A name may come to mean any address of the machine, so it counts as all of them."""
    try:
        return ip_address(host)
    except ValueError:
        return IPv4Address(0)


def endpoints_of(texts: Iterable[str]) -> dict[tuple[str, int], bool] | str:
    """`OutboundRules.endpoints` from what the operator wrote; an entry that is no endpoint comes back instead."""
    endpoints: dict[tuple[str, int], bool] = {}
    for text in texts:
        endpoint = read_endpoint(text)
        if endpoint is None:
            return text
        key = (endpoint.host, endpoint.port)
        endpoints[key] = endpoints.get(key, False) or endpoint.may_be_plain
    return endpoints


def read_endpoint(text: str) -> Endpoint | None:
    """`host:port`, `https://host:port` or `http://host:port`; None for anything else. Source: request-path 12.5.4."""
    found = _ENDPOINT.fullmatch(text)
    authority = read_authority(found[2]) if found else None
    if found is None or authority is None or isinstance(authority, str) or authority.port is None:
        return None
    return Endpoint(authority.host, authority.port, may_be_plain=found[1] == "http")
