"""Sockets to listen on."""

import socket


def check_unused(host: str, port: int) -> None:
    """Raises OSError when somebody listens there. A port of our own kind could be shared with SO_REUSEPORT, and then
    two gateways would each get a part of the requests."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


def open_listener(host: str, port: int) -> socket.socket:
    """A bound socket of this process alone; SO_REUSEPORT lets each worker have one. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener
