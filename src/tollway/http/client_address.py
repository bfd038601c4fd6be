"""Whose request it is: the TCP peer's, or what a proxy that the operator trusts says of it.

What a caller writes into a forwarding header counts for nothing: it would let them choose under whose name they are
limited. Source: request-path §3, guarantees N4.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network
from typing import Final, TypeAlias

from msgspec import Struct
from starlette.requests import Request

from tollway.wire.address import IpAddress, canonical_address, limiting_key, read_address

Network: TypeAlias = IPv4Network | IPv6Network

_FORWARDED_FOR: Final = b"x-forwarded-for"
_REMEMBERED: Final = (
    4_096  # what proxies said of clients, who come again; strangers choose the texts, so only short ones
)
_REMEMBERED_BYTES_MAX: Final = 128


class Peer(Struct, frozen=True):
    """The other end of one connection, looked at once.

    address: canonical, "" when the connection has none. key: what its connections are counted under. is_proxy: it is
    trusted to say whose requests it brings.
    """

    address: str
    key: str
    is_proxy: bool


def address_of(addresses: "ClientAddresses", request: Request) -> str:
    """Of a request to the ASGI side; "" when nobody can know it."""
    peer = addresses.peer(request.client.host if request.client else "")
    return (addresses.behind_proxy(dict(request.scope["headers"])) or "") if peer.is_proxy else peer.address


class ClientAddresses:
    """The trust configuration of this deployment."""

    def __init__(self, proxies: Sequence[Network], header: str, ipv6_prefix: int) -> None:
        """proxies: networks whose peers are trusted. header: its name, when the edge writes the client's address into a
        header of its own; "": X-Forwarded-For is read. ipv6_prefix: of `limiting_key`."""
        self._proxies = {
            version: tuple((int(one.network_address), int(one.netmask)) for one in proxies if one.version == version)
            for version in (4, 6)
        }
        self._header = header.lower().encode() or _FORWARDED_FOR
        self._find = self._read if header else self._walk
        self._find_remembered = lru_cache(_REMEMBERED)(self._find)
        self._ipv6_prefix = ipv6_prefix

    def peer(self, text: str) -> Peer:
        """`text`: the TCP address as the socket spells it."""
        address = read_address(text)
        if address is None:
            return Peer("", "", is_proxy=False)
        canonical = str(address)
        return Peer(canonical, limiting_key(canonical, self._ipv6_prefix), self._is_trusted(address))

    def behind_proxy(self, headers: Mapping[bytes, bytes]) -> str | None:
        """The canonical address of the client of a request that a trusted proxy brought; None when nobody can know.

        headers: names lower-cased, repeated ones joined by commas.
        """
        said = headers.get(self._header, b"")
        return self._find_remembered(said) if len(said) <= _REMEMBERED_BYTES_MAX else self._find(said)

    def _read(self, said: bytes) -> str | None:
        """One address and nothing else."""
        return canonical_address(said.decode("latin-1"))

    def _walk(self, said: bytes) -> str | None:
        """From right to left: each proxy appended whom it heard it from, and only what ours wrote is known to be true.

        The last good address counts when all are trusted, or when what is to its left is no address.
        """
        found: IpAddress | None = None
        for element in reversed(said.decode("latin-1").split(",")):
            address = read_address(element)
            if address is None:
                break
            found = address
            if not self._is_trusted(address):
                break
        return None if found is None else str(found)

    def _is_trusted(self, address: IpAddress) -> bool:
        number = int(address)
        return any(number & mask == network for network, mask in self._proxies[address.version])
