"""What has to be written a second time: because an old segment shall go, or because a sync failed.

Only what still counts is, of each request the OPEN first. So a copy that is cut off anywhere changes nothing for a
replay, while a copy of all that ever was written could bring back an earlier attempt.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

from tollway.billing.journal import RecordKind, scan
from tollway.storage.journal.files import Files
from tollway.storage.journal.segment import Frame, Place, Segment


def read_back(segment: Segment, files: Files, *, bytes_max: int) -> list[Frame] | None:
    """The records that count, of every request that began in `segment`, later segments included: a request's records
    must not change their order. None: they are more than `bytes_max`, or one of them cannot be read any more.

    Raises OSError.
    """
    wanted = {request_id: trace.places() for request_id, trace in segment.requests.items()}
    if sum(size for places in wanted.values() for _, _, size in places) > bytes_max:
        return None
    frames: list[Frame] = []
    with ExitStack() as opened:
        descriptors: dict[Segment, int] = {}
        for request_id, places in wanted.items():
            for place in places:
                frame = _read(request_id, place, files, descriptors, opened)
                if frame is None:
                    return None
                frames.append(frame)
    return frames


def _read(
    request_id: str, place: Place, files: Files, descriptors: dict[Segment, int], opened: ExitStack
) -> Frame | None:
    segment, offset, size = place
    if segment not in descriptors:
        descriptors[segment] = files.open_to_read(segment.path)
        opened.callback(files.close, descriptors[segment])
    data = files.read_part(descriptors[segment], size, offset)
    found = scan(data)
    if found.end != size or found.damaged or [record.request_id for record in found.records] != [request_id]:
        return None
    return found.records[0].kind, request_id, data


_SUPERSEDED_BY: Final = {
    RecordKind.OPEN: (RecordKind.OPEN,),
    RecordKind.PROGRESS: (RecordKind.OPEN, RecordKind.PROGRESS, RecordKind.CLOSE),
}


def still_counting(frames: Sequence[Frame]) -> list[Frame]:
    """Without those that a later one supersedes."""
    kept: list[Frame] = []
    later: set[tuple[str, RecordKind]] = set()
    for frame in reversed(frames):
        kind, request_id, _ = frame
        if not any((request_id, other) in later for other in _SUPERSEDED_BY.get(kind, ())):
            later.add((request_id, kind))
            kept.append(frame)
    kept.reverse()
    return kept
