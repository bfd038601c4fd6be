"""The client's configuration as it lies in files: the user's own, those of the project, and one in a variable.

Source: catalog-and-clients D.1.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from tollway.client.configuration import ClientConfig, Layer, Rank, read_config
from tollway.client.errors import ClientError
from tollway.client.jsonc import read_jsonc
from tollway.storage.client.places import APPLICATION, Places

INLINE: Final = "TOLLWAY_CONFIG_CONTENT"
_NAMES: Final = (f"{APPLICATION}.json", f"{APPLICATION}.jsonc")
_BYTES_MAX: Final = 1024**2


def load_config(places: Places, environ: Mapping[str, str], folder: Path) -> ClientConfig:
    """What holds in this folder. Raises ClientError naming the file, line and column of what cannot be read."""
    layers = [Layer(Rank.GLOBAL, str(path), _read(path)) for path in _present(places.config)]
    for one in reversed(_project_folders(folder)):
        layers += [Layer(Rank.PROJECT, str(path), _read(path)) for path in _present(one)]
    if environ.get(INLINE, "").strip():
        layers.append(Layer(Rank.INLINE, INLINE, read_jsonc(environ[INLINE], INLINE)))
    return read_config(layers, environ, _Included(Path(environ.get("HOME") or Path.home()), folder))


def _present(folder: Path) -> Iterator[Path]:
    return (path for name in _NAMES if (path := folder / name).is_file())


def _project_folders(folder: Path) -> list[Path]:
    """From here up to the root of the repository; outside of one, only here."""
    chain = [folder, *folder.parents]
    for depth, one in enumerate(chain, 1):
        if (one / ".git").exists():
            return chain[:depth]
    return [folder]


def _read(path: Path) -> dict[str, object]:
    return read_jsonc(_text(path, str(path)), str(path))


def _text(path: Path, name: str) -> str:
    try:
        with path.open("rb") as file:
            found = file.read(_BYTES_MAX + 1)
        if len(found) <= _BYTES_MAX:
            return found.decode()
    except (OSError, UnicodeDecodeError):
        pass
    raise ClientError(f"{name}: cannot be read as text of at most {_BYTES_MAX // 1024} KiB")


class _Included:
    """Reads what `{file:…}` names: below `~`, absolute, or beside the file that names it."""

    def __init__(self, home: Path, folder: Path) -> None:
        self._home = home
        self._folder = folder

    def __call__(self, path: str, layer: str) -> str:
        beside = self._folder if layer == INLINE else Path(layer).parent
        named = self._home / path[2:] if path.startswith("~/") else beside / path
        return _text(named, f"{layer}: {{file:{path}}}")
