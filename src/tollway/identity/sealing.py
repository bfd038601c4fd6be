"""Stored secrets, sealed and opened. Pure: keys and fresh bytes are arguments.

What is written here is an envelope: the secret under a key of its own, that key under a master key with an id, both
AES-256-GCM and bound to the row they belong to, so that a sealed secret moved to another row or owner does not open.
Read as well, never written: the form of accounts taken over from the reference, which has one key and no binding.
Source: guarantees K1, K2; request-path 8.2.4.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
VERSION: Final = 1

Sealed: TypeAlias = Mapping[str, Any]  # as it is stored: a JSON object
FreshBytes: TypeAlias = Callable[[int], bytes]


class SealError(ValueError):
    """It does not open: damaged, moved, or under a key that is not here. The text names at most a key's id."""


class Place(Struct, frozen=True):
    """The row that a secret belongs to, and its owner: what sealed secrets are bound to."""

    table: str
    column: str
    row_id: str
    owner_kind: str
    owner_id: str
    provider_id: str

    @property
    def bytes_(self) -> bytes:
        """Every part with its length before it, so that no two places are spelled alike."""
        texts = (self.table, self.column, self.row_id, self.owner_kind, self.owner_id, self.provider_id)
        return b"".join(len(part).to_bytes(4, "big") + part for part in (text.encode() for text in texts))


@dataclass(frozen=True, slots=True)
class SealingKeys:
    """`master`: those that open, by id, each of 32 bytes; the `active` one seals. `reference`: opens what was taken
    over."""

    master: Mapping[str, bytes] = field(repr=False)
    active: str
    reference: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.active not in self.master:
            raise ValueError("the active master key is none of those that are readable")
        for key in (*self.master.values(), *((self.reference,) if self.reference is not None else ())):
            if len(key) != KEY_BYTES:
                raise ValueError(f"a sealing key has {len(key)} bytes instead of {KEY_BYTES}")


def seal(text: str, place: Place, keys: SealingKeys, fresh: FreshBytes) -> dict[str, Any]:
    """`text` in the form that is stored; `fresh` gives random bytes."""
    key = fresh(KEY_BYTES)
    bound = place.bytes_
    return {
        "version": VERSION,
        "key_id": keys.active,
        "wrapped_key": _close(key, keys.master[keys.active], _wrapping(keys.active, bound), fresh),
        "sealed": _close(text.encode(), key, bound, fresh),
    }


def unseal(stored: object, place: Place, keys: SealingKeys) -> str:
    """The secret. Raises SealError."""
    if not isinstance(stored, Mapping):
        raise SealError("not a sealed secret")
    if "version" not in stored:
        return _open_reference(stored, keys.reference)
    key = _unwrap(stored, place, keys)
    return _text(_open(_decoded(stored, "sealed"), key, place.bytes_))


def rewrap(stored: Sealed, place: Place, keys: SealingKeys, fresh: FreshBytes) -> dict[str, Any]:
    """The same secret under the active master key: of an envelope only the wrapping changes. Raises SealError."""
    if "version" not in stored:
        return seal(unseal(stored, place, keys), place, keys, fresh)
    key = _unwrap(stored, place, keys)
    wrapped = _close(key, keys.master[keys.active], _wrapping(keys.active, place.bytes_), fresh)
    return {**stored, "key_id": keys.active, "wrapped_key": wrapped}


def has_its_key(stored: object, place: Place, keys: SealingKeys) -> bool:
    """Whether its master key is here and is the one that it was sealed under. Of an envelope only the wrapping is
    opened, so a secret that is damaged itself still proves its key."""
    try:
        if isinstance(stored, Mapping) and "version" in stored:
            _unwrap(stored, place, keys)
        else:
            unseal(stored, place, keys)
    except SealError:
        return False
    return True


def master_key_id(stored: object) -> str:
    """The id of the master key that a stored secret needs; "" for the reference's form."""
    return str(stored.get("key_id", "")) if isinstance(stored, Mapping) else ""


def _unwrap(stored: Sealed, place: Place, keys: SealingKeys) -> bytes:
    if stored["version"] != VERSION:
        raise SealError("sealed in a form that is not known here")
    key_id = stored.get("key_id")
    master = keys.master.get(key_id) if isinstance(key_id, str) else None
    if master is None:
        raise SealError(f"sealed under the master key {str(key_id)[:64]!r}, which is not here")
    key = _open(_decoded(stored, "wrapped_key"), master, _wrapping(str(key_id), place.bytes_))
    if len(key) != KEY_BYTES:
        raise SealError("the wrapped key has a wrong length")
    return key


def _wrapping(key_id: str, bound: bytes) -> bytes:
    """Wrapped keys and secrets are bound differently, so that neither opens as the other."""
    return b"key\0%d\0%b\0%b" % (VERSION, key_id.encode(), bound)


def _close(plain: bytes, key: bytes, bound: bytes, fresh: FreshBytes) -> str:
    nonce = fresh(NONCE_BYTES)
    return b64encode(nonce + AESGCM(key).encrypt(nonce, plain, bound)).decode()


def _open(sealed: bytes, key: bytes, bound: bytes | None) -> bytes:
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound)
    except (InvalidTag, ValueError):
        raise SealError("does not open: damaged, or of another place or key") from None


def _open_reference(stored: Sealed, key: bytes | None) -> str:
    if key is None:
        raise SealError("sealed under the reference's key, which is not configured")
    parts = [_decoded(stored, name) for name in ("iv", "data", "authTag")]
    if len(parts[0]) != NONCE_BYTES:
        raise SealError("the nonce has a wrong length")
    return _text(_open(b"".join(parts), key, None))


def _decoded(stored: Sealed, name: str) -> bytes:
    value = stored.get(name)
    try:
        return b64decode(value, validate=True) if isinstance(value, str) else b""
    except ValueError:
        raise SealError(f"{name} is not base64") from None


def _text(plain: bytes) -> str:
    try:
        return plain.decode()
    except UnicodeDecodeError:
        raise SealError("opens, but is no text") from None
