"""Lists of models on disk, so that a command need not ask again, and has something to show without a network.

One file per gateway and account, for its owner's eyes. All of it is disposable: what cannot be read is as if it were
not there. Source: catalog-and-clients C.5.4.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import DecodeError, Struct, ValidationError
from msgspec.json import Decoder, Encoder

from tollway.catalog.client_model import ClientModel, ModelMap
from tollway.storage.client.private_file import write_private


class _File(Struct):
    """fetched_at: unix seconds."""

    fetched_at: int
    models: list[ClientModel]


_decode: Final = Decoder(_File).decode
_encode: Final = Encoder(decimal_format="number").encode


class ModelShelf:
    """Implements the client's Shelf. `unix_seconds`: the clock that dates the files."""

    def __init__(self, folder: Path, unix_seconds: Callable[[], int]) -> None:
        self._folder = folder / "models"
        self._unix_seconds = unix_seconds

    def take(self, list_id: str) -> tuple[ModelMap, float] | None:
        """The list and its age in seconds; a file from the future, after a clock was set back, is as old as can be."""
        try:
            kept = _decode(self._path(list_id).read_bytes())
        except (OSError, DecodeError, ValidationError):
            return None
        age_s = self._unix_seconds() - kept.fetched_at
        return {one.id: one for one in kept.models}, age_s if age_s >= 0 else float("inf")

    def put(self, list_id: str, models: ModelMap) -> None:
        text = _encode(_File(self._unix_seconds(), list(models.values())))
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(self._path(list_id), text)
        except OSError:
            return  # a full or read-only disk costs another request next time, and nothing else

    def forget(self, prefix: str) -> None:
        try:
            for path in self._folder.glob(f"{prefix}*"):
                path.unlink(missing_ok=True)
        except OSError:
            return  # the list of an account that nobody uses any more is never read again

    def _path(self, list_id: str) -> Path:
        return self._folder / f"{list_id}.json"
