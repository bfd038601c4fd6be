"""What a client says about the request besides its body: task, mode, editor, version, feature, project.

Most requests say nothing of it: those share one value, and finding that out is one pass over the names of the headers.
Source: request-path 13.3 to 13.6.
"""

from typing import Final

from msgspec import Struct

from tollway.catalog.preset import Preset
from tollway.wire.client_headers import Headers, limited, project_id, read_header, version_number

_NAMES: Final = (b"taskid", b"mode", b"editorname", b"machineid", b"projectid", b"version", b"feature")
_KNOWN: Final = frozenset(prefix + name for name in _NAMES for prefix in (b"x-kilocode-", b"x-tollway-"))
_WITHOUT_FEATURE: Final = "/openrouter"  # requests to such a path that name no feature have none


class Context(Struct, frozen=True):
    """None: not said. `client_version` is major + minor/1000 + patch/1000000, 0 for none."""

    task_id: str | None = None
    mode: str | None = None
    editor_name: str | None = None
    machine_id: str | None = None
    project_id: str | None = None
    client_version: float = 0.0
    feature: str | None = None


class Contexts:
    """Reads contexts by the rules of a preset: which features there are."""

    def __init__(self, preset: Preset) -> None:
        self._features = frozenset(feature.lower() for feature in preset.features)
        self._nothing = Context()
        self._nothing_direct = Context(feature=preset.feature_if_absent or None)

    def read(self, headers: Headers, path: str) -> Context:
        silent = self._nothing if _WITHOUT_FEATURE in path else self._nothing_direct
        if _KNOWN.isdisjoint(headers):
            return silent
        feature = read_header(headers, b"feature")
        return Context(
            limited(read_header(headers, b"taskid")),
            limited(read_header(headers, b"mode")),
            limited(read_header(headers, b"editorname")),
            limited(read_header(headers, b"machineid")),
            project_id(read_header(headers, b"projectid")),
            version_number(limited(read_header(headers, b"version"))),
            silent.feature if feature is None else self._feature_of(feature),
        )

    def _feature_of(self, value: str) -> str | None:
        feature = value.strip().lower()
        return feature if feature in self._features else None
