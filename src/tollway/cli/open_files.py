"""How many files a process may open. Each connection is one, and many systems begin with 1,024."""

import resource
import sys
from contextlib import suppress


def open_files_max() -> int:
    """As many as this process may allow itself."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return sys.maxsize if most == resource.RLIM_INFINITY else most


def allow_open_files() -> None:
    """Take all that may be had; for this process and those it starts."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with suppress(ValueError, OSError):  # "without end" is more than some systems give, whatever they say
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
