"""How many files this process may open. Each connection is one, and many systems begin with 1,024."""

import resource
import sys
from contextlib import suppress


def open_files() -> int:
    """Its present limit."""
    return _count(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def open_files_max() -> int:
    """As many as this process may allow itself."""
    return _count(resource.getrlimit(resource.RLIMIT_NOFILE)[1])


def allow_open_files() -> None:
    """Take all that may be had; for this process and those it starts."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with suppress(ValueError, OSError):  # "without end" is more than some systems give, whatever they say
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _count(limit: int) -> int:
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit
