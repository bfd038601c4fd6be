"""Ports for gateways that are started again where they were.

The system gives a port that it has chosen itself (`:0`) to outgoing connections as well, once nobody listens there. Who
connects to it then, again and again, may even be given that port and talk to itself; the gateway finds it taken.
"""

import random
import socket
from pathlib import Path

_LOWEST = 10_000


def lasting_port() -> int:
    """Nobody's, and never given to an outgoing connection."""
    lowest_given = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(_LOWEST, lowest_given)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
