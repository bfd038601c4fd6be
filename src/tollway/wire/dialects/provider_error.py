"""An error that a provider reported in the middle of a stream, or with a status of success."""

from msgspec import Struct


class ProviderError(Struct, frozen=True):
    """What the client is told, and the status it would have had as an answer."""

    message: str
    status: int
