"""By which names upstreams know our users: hashes, other ones at every upstream, that only this deployment can make.

Source: request-path 11.1, 11.2.
"""

from base64 import b64encode
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tollway.catalog.preset import Identity

CUSTOM: Final = "custom"  # upstreams of users and organizations, which all have this id
KEPT_MAX: Final = 20_000  # hashes, some 400 bytes each


def hash_payload(salt: str, pepper: str, payload: str) -> str:
    """Base64, 44 characters, of the SHA-256 of all three, one after the other."""
    return b64encode(sha256((salt + pepper + payload).encode()).digest()).decode()


class UserHashes:
    """Hashes by upstream and user; they are the same for each request, so those of late are kept.

    The salt is the preset's, the pepper the one it gives to the upstream, else the upstream's id. `secret` is the
    deployment's own and stands where the preset says that salt or pepper are empty.
    """

    def __init__(self, identity: "Identity", secret: str) -> None:
        self._salt = identity.hash_salt or secret
        self._peppers = {upstream: pepper or secret for upstream, pepper in identity.hash_peppers.items()}
        self._kept = lru_cache(KEPT_MAX)(self._hash)

    def user(self, upstream_id: str, base_url: str, user_id: str) -> str:
        """What `user` and `safety_identifier` say. base_url: as configured; it counts for custom upstreams only."""
        return self._kept(upstream_id, base_url, user_id)

    def prompt_cache_key(self, upstream_id: str, base_url: str, user_id: str, task_id: str) -> str:
        """What `prompt_cache_key` says for a request that belongs to a task."""
        return self._kept(upstream_id, base_url, user_id + task_id)

    def _hash(self, upstream_id: str, base_url: str, payload: str) -> str:
        pepper = base_url if upstream_id == CUSTOM else self._peppers.get(upstream_id, upstream_id)
        return hash_payload(self._salt, pepper, payload)
