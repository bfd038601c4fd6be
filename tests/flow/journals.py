"""What the journals of a running gateway say, read from outside while they are written."""

import time
from collections.abc import Iterator
from pathlib import Path

from msgspec.msgpack import Decoder

from tollway.billing.journal import Entry, Record, fold, scan
from tollway.billing.recovery import Opened, PayerPart

PATIENCE_S = 30
RELEASED_WITHIN_S = 2
LOOK_S = 0.01
_opened = Decoder(Opened)
_payer = Decoder(PayerPart)


def entries(state_dir: Path) -> list[Entry]:
    """Requests that no journal below `state_dir` has acknowledged or released."""
    found: list[Entry] = []
    for folder in (state_dir / "journal").glob("[!.]*"):
        found += [entry for entry in fold(_records(folder)).entries if not entry.released]
    return found


def _records(folder: Path) -> Iterator[Record]:
    for path in sorted(folder.glob("*.journal")):
        try:
            yield from scan(path.read_bytes()).records
        except FileNotFoundError:  # deleted meanwhile: all of it was settled
            continue


def wait_until_settled(state_dir: Path) -> None:
    """Until every request that has ended by now is in the books; others may go on ending meanwhile."""
    ends_at = time.monotonic() + PATIENCE_S
    ended = _ended(state_dir)
    while ended & _ended(state_dir):
        assert time.monotonic() < ends_at, "ended requests are not settled"
        time.sleep(LOOK_S)


def wait_for_quiet(state_dir: Path) -> None:
    """Until nothing is left in any journal: all replayed, settled and acknowledged."""
    ends_at = time.monotonic() + PATIENCE_S
    while left := entries(state_dir):
        assert time.monotonic() < ends_at, f"{len(left)} requests are not settled {PATIENCE_S} s later"
        time.sleep(0.1)


def _ended(state_dir: Path) -> frozenset[str]:
    return frozenset(entry.request_id for entry in entries(state_dir) if entry.close)


def held_by(state_dir: Path, user_id: str) -> int:
    """Micro-dollars that open requests of this user hold; -1 when one of them holds nothing. A release is written a
    moment after the answer, so something held is looked at again for a while."""
    ends_at = time.monotonic() + RELEASED_WITHIN_S
    while (held := _held_by(state_dir, user_id)) and time.monotonic() < ends_at:
        time.sleep(LOOK_S)
    return held


def _held_by(state_dir: Path, user_id: str) -> int:
    held = []
    for entry in entries(state_dir):
        if entry.open and not entry.close:
            opened = _opened.decode(entry.open)
            if _payer.decode(opened.payer).user_id == user_id:
                held.append(opened.amounts[0])
    return sum(held) or -int(bool(held))
