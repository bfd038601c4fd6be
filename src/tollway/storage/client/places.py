"""Where the client's files lie: the folders that the XDG base directory specification names.

Source: catalog-and-clients D.1.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

APPLICATION: Final = "tollway"


class Places(Struct, frozen=True):
    """Folders; none of them need exist."""

    config: Path
    data: Path
    cache: Path

    @property
    def credentials(self) -> Path:
        return self.data / "auth.json"


def places_of(environ: Mapping[str, str]) -> Places:
    """By the environment; what is not an absolute path there does not count, as the specification says."""
    home = Path(environ.get("HOME") or Path.home())
    config = environ.get("TOLLWAY_CONFIG_DIR")
    return Places(
        config=Path(config) if config else _folder(environ, "XDG_CONFIG_HOME", home / ".config"),
        data=_folder(environ, "XDG_DATA_HOME", home / ".local" / "share"),
        cache=_folder(environ, "XDG_CACHE_HOME", home / ".cache"),
    )


def _folder(environ: Mapping[str, str], variable: str, default: Path) -> Path:
    named = Path(environ.get(variable) or default)
    return (named if named.is_absolute() else default) / APPLICATION
