"""What a client says about the request besides its body: task, mode, editor, version, feature, project.

Most requests say nothing of it: those share one value, and finding out is one pass over the names of the headers.
Source: request-path 13.3 to 13.6.
"""

from typing import Final

from msgspec import Struct

from tollway.catalog.preset import Preset
from tollway.wire.client_headers import Headers, limited, project_id, read_header, version_number

_NAMES: Final = (b"taskid", b"mode", b"editorname", b"machineid", b"projectid", b"version", b"feature")
_KNOWN: Final = frozenset(prefix + name for name in _NAMES for prefix in (b"x-kilocode-", b"x-tollway-"))
_WITHOUT_FEATURE: Final = "/openrouter"  # requests to such a path that name no feature have none


class Context(Struct, frozen=True, eq=False):
    """Reads a header when it is asked for, since hardly a request needs them all, except for the task, which every
    attempt asks for. None: not said."""

    headers: Headers
    features: frozenset[str]  # that there are
    feature_if_absent: str | None
    task_id: str | None

    @property
    def mode(self) -> str | None:
        return limited(read_header(self.headers, b"mode"))

    @property
    def editor_name(self) -> str | None:
        return limited(read_header(self.headers, b"editorname"))

    @property
    def machine_id(self) -> str | None:
        return limited(read_header(self.headers, b"machineid"))

    @property
    def project_id(self) -> str | None:
        return project_id(read_header(self.headers, b"projectid"))

    @property
    def client_version(self) -> float:
        """major + minor/1000 + patch/1000000, 0 for none."""
        return version_number(limited(read_header(self.headers, b"version")))

    @property
    def feature(self) -> str | None:
        value = read_header(self.headers, b"feature")
        if value is None:
            return self.feature_if_absent
        feature = value.strip().lower()
        return feature if feature in self.features else None


class Contexts:
    """Contexts by the rules of a preset: which features there are."""

    def __init__(self, preset: Preset) -> None:
        self._features = frozenset(feature.lower() for feature in preset.features)
        self._feature_if_absent = preset.feature_if_absent or None
        self._silent = Context({}, self._features, None, None)
        self._silent_direct = Context({}, self._features, self._feature_if_absent, None)

    def read(self, headers: Headers, path: str) -> Context:
        """`headers` must not be changed afterwards."""
        silent = self._silent if _WITHOUT_FEATURE in path else self._silent_direct
        if _KNOWN.isdisjoint(headers):
            return silent
        task_id = limited(read_header(headers, b"taskid"))
        return Context(headers, self._features, silent.feature_if_absent, task_id)
