"""The last look before a connection that somebody else directs: at what its name resolved to just now.

Resolve once, look here, connect to one of exactly these addresses, and keep the name for Host and TLS: a second look-up
could answer differently (request-path 12.5.5, guarantees N1).
"""

import socket
from collections.abc import Callable, Sequence
from ipaddress import ip_address

from msgspec import Struct

from tollway.identity.address_kinds import AddressKind
from tollway.identity.outbound import OutboundRules


class Refused(Struct, frozen=True):
    """`reason` is for the operator's log and names no address."""

    reason: str


def is_local(address: str) -> bool:
    """Whether this machine has that address: only then a socket can be bound to it."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def check_resolved(
    host: str,
    port: int,
    resolved: Sequence[str],
    rules: OutboundRules,
    is_local: Callable[[str], bool] = is_local,
) -> tuple[str, ...] | Refused:
    """The addresses to connect to, each once, in the resolver's order. One that may not be called refuses all: a name
    that is half inside is not trusted with the other half."""
    if not resolved:
        return Refused("no address")
    for text in resolved:
        try:
            kind = rules.refused_kind(host, port, ip_address(text))
        except ValueError:
            return Refused("not an address")
        if kind is None and rules.is_everywhere(port) and is_local(text):
            kind = AddressKind.OWN
        if kind:
            return Refused(kind.value)
    return tuple(dict.fromkeys(resolved))
