"""How many client connections a limit on open files leaves room for (guarantees O5).

A connection that is let in may bring a request, which needs a second file for its upstream. Databases, journal and log
need theirs too, and without them nothing can be answered at all: so clients get no file that is needed to answer them.
"""

from typing import Final

FILES_OF_A_REQUEST: Final = 2  # its client's connection and its upstream's
FILES_BESIDE: Final = 200  # of a worker: databases, journal, log, idle connections
_BESIDE_SHARE: Final = 4  # where there are few files, a part of them is enough
_BACKLOG_SHARE: Final = 8
BACKLOG_MAX: Final = 2_048


def connections_max(files: int, connections: int, in_flight: int) -> int:
    """Client connections of one worker, at least 1: `connections` if `files` allow it. `in_flight`: how many
    requests can be under way."""
    left = files - min(FILES_BESIDE, files // _BESIDE_SHARE)
    return max(1, min(connections, max(left // FILES_OF_A_REQUEST, left - in_flight)))


def backlog(files: int) -> int:
    """How many connections may wait to be accepted. They are accepted all at once, before the first can be refused, so
    together they must not take the files of what is under way."""
    return max(1, min(BACKLOG_MAX, files // _BACKLOG_SHARE))
