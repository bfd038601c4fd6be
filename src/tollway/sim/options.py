"""What one stand-in upstream is started with."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import time


@dataclass(frozen=True, slots=True)
class SimOptions:
    """Where to listen, whom to admit, what to keep.

    port: 0 lets the system choose. record_path: None keeps the record in memory only.
    record_sync: an answer's record is on disk before the answer's last bytes are sent.
    key: the only bearer value accepted; None accepts any. now: seconds since 1970.
    """

    host: str = "127.0.0.1"
    port: int = 0
    record_path: Path | None = None
    record_sync: bool = False
    key: str | None = None
    no_auth: bool = False
    tls: bool = False
    certificate_dir: Path | None = None
    replay_dir: Path | None = None
    now: Callable[[], float] = time


def parse_listen(listen: str) -> tuple[str, int]:
    """`127.0.0.1:9900` or `[::1]:9900` as host and port; raises ValueError for anything else."""
    host, colon, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > 65_535:
        raise ValueError(f"expected HOST:PORT, not {listen!r}")
    return host, int(port)
