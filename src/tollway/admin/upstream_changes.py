"""What becomes of a row when its owner changes it. Pure, but for the fresh bytes that sealing needs.

A stored secret never travels to another address: with a new scheme, host or port what is not entered anew is cleared,
and without a key the row is off until one is entered. The same goes for the key when a header changes that itself
carries a secret. Source: guarantees K3, request-path 12.10.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import UNSET, UnsetType
from msgspec.json import encode

from tollway.admin.fields import bad
from tollway.admin.upstream_records import CustomUpstream, SealedUpstream
from tollway.errors import Problem
from tollway.identity.base_url import BaseUrl
from tollway.identity.extra_headers import ExtraHeaders, HeaderRule, read_extra_headers
from tollway.identity.sealing import FreshBytes, Place, Sealed, SealError, SealingKeys, seal, unseal

SHOWN_OF_KEY_MIN: Final = 16  # of shorter keys not even the end is shown
_SECRET_NAME: Final = re.compile(r"key|token|secret|auth|pass|credential|signature|session|jwt", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Checked:
    """A change whose every part has been checked; what is UNSET stays."""

    provider_id: str | UnsetType = UNSET
    display_name: str | UnsetType = UNSET
    base_url: BaseUrl | UnsetType = UNSET
    api_key: str | UnsetType = field(default=UNSET, repr=False)
    extra_headers: ExtraHeaders | UnsetType | None = field(default=UNSET, repr=False)
    model_metadata: Mapping[str, Any] | UnsetType = UNSET
    is_enabled: bool | UnsetType = UNSET


@dataclass(frozen=True, slots=True)
class Sealer:
    """The keys that seal, and random bytes to do it with."""

    keys: SealingKeys
    fresh: FreshBytes

    def seal(self, text: str, place: Place) -> Sealed:
        return seal(text, place, self.keys, self.fresh)

    def moved(self, sealed: Sealed | None, from_: Place, to: Place) -> Sealed | None:
        """The same secret at another place; None when it does not open any more."""
        if sealed is None or from_ == to:
            return sealed
        try:
            return self.seal(unseal(sealed, from_, self.keys), to)
        except SealError:
            return None


def headers_text(headers: ExtraHeaders) -> str:
    """As they are sealed."""
    return encode(headers).decode()


def last_four(key: str) -> str:
    return key[-4:] if len(key) >= SHOWN_OF_KEY_MIN else ""


def changed(row: SealedUpstream, change: Checked, sealer: Sealer, now: datetime) -> SealedUpstream | Problem:
    """Refuses: bad_request (it cannot be on without a key)."""
    before = row.upstream
    fields: dict[str, Any] = {
        "provider_id": change.provider_id,
        "display_name": change.display_name,
        "base_url": UNSET if change.base_url is UNSET else change.base_url.text,
        "model_metadata": change.model_metadata,
    }
    after = replace(before, updated_at=now, **{name: value for name, value in fields.items() if value is not UNSET})
    sealed_headers, names = _headers(row, after, change, sealer)
    sealed_key, ending = _key(row, after, change, sealer)
    is_enabled = sealed_key is not None and _is_on(row, change)
    if change.is_enabled is True and not is_enabled:
        return bad("is_enabled", "the API key must be entered again")
    shown = replace(after, is_enabled=is_enabled, has_key=sealed_key is not None, last_four=ending, header_names=names)
    return SealedUpstream(shown, sealed_key, sealed_headers)


def _is_on(row: SealedUpstream, change: Checked) -> bool:
    """One that lost its key comes on again when a key is entered."""
    if change.is_enabled is not UNSET:
        return change.is_enabled
    return row.upstream.is_enabled or row.sealed_key is None


def _key(row: SealedUpstream, after: CustomUpstream, change: Checked, sealer: Sealer) -> tuple[Sealed | None, str]:
    before = row.upstream
    if change.api_key is not UNSET:
        return sealer.seal(change.api_key, after.key_place), last_four(change.api_key)
    if has_moved(before.base_url, after.base_url) or _changes_secret_header(row, change, sealer.keys):
        return None, ""
    kept = sealer.moved(row.sealed_key, before.key_place, after.key_place)
    return kept, before.last_four if kept is not None else ""


def _headers(
    row: SealedUpstream, after: CustomUpstream, change: Checked, sealer: Sealer
) -> tuple[Sealed | None, tuple[str, ...]]:
    before = row.upstream
    if change.extra_headers is not UNSET:
        headers = change.extra_headers
        if not headers:
            return None, ()
        return sealer.seal(headers_text(headers), after.headers_place), tuple(headers)
    if has_moved(before.base_url, after.base_url):
        return None, ()
    kept = sealer.moved(row.sealed_headers, before.headers_place, after.headers_place)
    return kept, before.header_names if kept is not None else ()


def has_moved(before: str, after: str) -> bool:
    """Whether scheme, host or port of two stored addresses differ."""
    return _place(before) != _place(after)


def _place(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _changes_secret_header(row: SealedUpstream, change: Checked, keys: SealingKeys) -> bool:
    if change.extra_headers is UNSET:
        return False
    return _secrets(_opened(row, keys)) != _secrets(change.extra_headers or {})


def _opened(row: SealedUpstream, keys: SealingKeys) -> ExtraHeaders:
    """The stored headers; those that cannot be read are like any others that carried something else."""
    if row.sealed_headers is None:
        return {}
    try:
        headers = read_extra_headers(unseal(row.sealed_headers, row.upstream.headers_place, keys).encode())
    except SealError:
        headers = HeaderRule.OBJECT
    return dict.fromkeys(row.upstream.header_names, "") if isinstance(headers, HeaderRule) else headers


def _secrets(headers: ExtraHeaders) -> dict[str, str]:
    """Those whose names say that they carry a secret."""
    return {name.lower(): value for name, value in headers.items() if _SECRET_NAME.search(name)}
