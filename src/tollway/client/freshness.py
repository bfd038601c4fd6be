"""How long a list of models serves, and when a failed one may be asked for again.

Seconds are those of a clock that only goes forward. Source: catalog-and-clients C.5.
"""

from hashlib import sha256
from typing import Final

from msgspec import Struct

from tollway.catalog.client_model import ModelMap
from tollway.client.gateways import Gateway

FRESH_S: Final = 300.0
RETRY_S: Final = 5.0
RETRY_S_MAX: Final = 300.0


class Kept(Struct, frozen=True):
    """The last good list and what has happened since. A failure neither replaces it nor makes it younger."""

    models: ModelMap
    fetched_at: float
    failures: int = 0
    failed_at: float = 0.0

    def is_fresh(self, now: float) -> bool:
        return now - self.fetched_at <= FRESH_S

    def may_retry(self, now: float) -> bool:
        """After 5 s, and twice as long after each further failure, up to 5 minutes."""
        pause = min(RETRY_S * 2 ** max(0, min(self.failures, 16) - 1), RETRY_S_MAX)
        return not self.failures or now - self.failed_at >= pause

    def after_failure(self, now: float) -> "Kept":
        return Kept(self.models, self.fetched_at, self.failures + 1, now)


def list_id(gateway: Gateway) -> str:
    """Under which a list is kept: another account, organization or address has another one.

    Of the credential only a hash of a hash remains.
    """
    credential = _hash(gateway.key.text) if gateway.key else ""
    parts = (gateway.base_url, credential, gateway.organization_id)
    return list_prefix(gateway.id) + _hash("\n".join(parts))


def list_prefix(gateway_id: str) -> str:
    """With which the ids of all lists of this gateway begin; it is as good in a file's name as any."""
    return f"{_hash(gateway_id)[:16]}-"


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()
