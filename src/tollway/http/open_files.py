"""How many files this process may open, as the system says."""

import resource
import sys


def open_files() -> int:
    """Its present limit."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return sys.maxsize if most == resource.RLIM_INFINITY else most
