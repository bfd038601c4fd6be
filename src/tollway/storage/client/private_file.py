"""Files only their owner may read, replaced in one step: whoever reads sees the old text or the new one."""

import os
import tempfile
from pathlib import Path


def write_private(path: Path, text: bytes) -> None:
    """Written beside it (mode 0600), on disk before it takes the place of what was there. Raises OSError."""
    target = Path(os.path.realpath(path))  # a link stays a link
    descriptor, draft = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(target)
    finally:
        Path(draft).unlink(missing_ok=True)  # it is still there only when something went wrong
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
