"""What the C library does with memory that was freed."""

import ctypes
import os
from typing import Final

# names and numbers of mallopt(3), and the variables by which an operator can have said otherwise
_TRIM_THRESHOLD: Final = (-1, "MALLOC_TRIM_THRESHOLD_")
_MMAP_THRESHOLD: Final = (-3, "MALLOC_MMAP_THRESHOLD_")
_ONE_GIB: Final = 1024**3


def keep_freed_memory() -> None:
    """Returning memory to the system after every big body costs more than keeping it.

    Holds for this process and for those it forks. Elsewhere than with glibc there is nothing to set.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    for number, variable in (_TRIM_THRESHOLD, _MMAP_THRESHOLD):
        if variable not in os.environ:
            mallopt(number, _ONE_GIB)
