"""The environment of this process. The only file that reads it."""

import os
from collections.abc import Mapping


def environment() -> Mapping[str, str]:
    """Its variables as they are now; never handed on to other processes (cli/children.py does that)."""
    return dict(os.environ)
