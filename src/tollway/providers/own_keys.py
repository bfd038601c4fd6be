"""A caller's own key for an inference provider, opened. Source: request-path 8.2."""

from typing import Final

from msgspec import Struct, ValidationError
from msgspec.json import Decoder


class OwnKeyError(ValueError):
    """What is stored is no key of that provider; the text never quotes it."""


class AwsCredentials(Struct, frozen=True, forbid_unknown_fields=True):
    """As the second gateway wants them; the names go on the wire."""

    accessKeyId: str  # noqa: N815  (as on the wire)
    secretAccessKey: str  # noqa: N815  (as on the wire)
    region: str

    def __repr__(self) -> str:
        return "AwsCredentials(…)"


class OwnKey(Struct, frozen=True):
    """`provider_id` as the key's owner named it (`anthropic`, `codestral`, `bedrock`, …). No repr: it is a secret."""

    provider_id: str
    secret: str | AwsCredentials

    def __repr__(self) -> str:
        return "OwnKey(…)"


SHOWN_CHARS_MIN: Final = 16

_AWS: Final = frozenset({"bedrock"})  # providers whose key is an object
_decode: Final = Decoder(AwsCredentials).decode


def read_own_key(provider_id: str, text: str) -> OwnKey:
    """The key that `text` is, as it was stored. Raises OwnKeyError. Source: request-path 8.2.5."""
    if provider_id not in _AWS:
        if not text:
            raise OwnKeyError(f"the key for {provider_id} is empty")
        return OwnKey(provider_id, text)
    try:
        return OwnKey(provider_id, _decode(text))
    except (ValidationError, ValueError):
        raise OwnKeyError(f"the key for {provider_id} is not an object of AWS credentials") from None


def last_four(key: OwnKey) -> str:
    """What may be shown of a key so that its owner knows it again: its end, or that of the name it goes with; nothing
    of a short one. Source: guarantees K3."""
    text = key.secret if isinstance(key.secret, str) else key.secret.accessKeyId
    return text[-4:] if len(text) >= SHOWN_CHARS_MIN else ""
