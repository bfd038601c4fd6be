"""Bounds and waits of calls to upstreams where no setting says otherwise; settings.py tells what each of them means.

Apart from it, because the commands of a developer's machine make such calls without settings, and do not wait for what
checks them to load.
"""

from msgspec import Struct


class CallLimits(Struct, frozen=True):
    """Sizes in bytes, everything else a number of."""

    upstream_headers_bytes: int = 65_536
    upstream_body_bytes: int = 64 * 1024**2
    upstream_in_flight: int = 1_000
    upstream_connecting: int = 100
    upstream_idle: int = 256
    custom_upstream_pools: int = 500
    custom_upstream_idle: int = 16


class CallTimeouts(Struct, frozen=True):
    """In seconds."""

    resolve_s: float = 3
    connect_s: float = 5
    send_s: float = 30
    stream_headers_s: float = 60
    answer_s: float = 600
    first_event_s: float = 120
    silence_s: float = 120
    stream_s: float = 1_800
    upstream_idle_s: float = 55
