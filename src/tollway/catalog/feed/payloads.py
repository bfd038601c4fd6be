"""The payloads of one snapshot, and their JSON: what the database keeps and Redis mirrors.

`providers` lists inference providers with their models, `openrouter` and `vercel` are models of the two gateways by
id, in the order of their sources. Source: catalog-and-clients A.2, A.6, A.7.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct, ValidationError
from msgspec.json import Decoder, Encoder

from tollway.catalog.feed.reading import FeedError
from tollway.catalog.feed.shapes import Card, DataPolicy, FeedModel, GatewayModel, Icon, Words

PAYLOAD_BYTES_MAX: Final = 64 * 1024**2


class ListedProvider(Struct, frozen=True, omit_defaults=True):
    """An inference provider and what it serves."""

    name: str
    displayName: str  # noqa: N815  (as on the wire)
    slug: str
    dataPolicy: DataPolicy  # noqa: N815  (as on the wire)
    headquarters: str | None = None
    datacenters: Words | None = None
    icon: Icon | None = None
    models: tuple[Card, ...] = ()


class Providers(Struct, frozen=True):
    """`total_models` counts a model once for each provider. `generated_at`: ISO 8601, UTC."""

    providers: tuple[ListedProvider, ...]
    total_providers: int
    total_models: int
    generated_at: str


class Payloads(Struct, frozen=True):
    """`openrouter` or `vercel` None: that gateway has no key here, and was not asked."""

    providers: Providers
    openrouter: Mapping[str, FeedModel] | None
    vercel: Mapping[str, GatewayModel] | None


class Texts(Struct, frozen=True):
    """The same as JSON."""

    providers: bytes
    openrouter: bytes | None
    vercel: bytes | None

    @property
    def size(self) -> int:
        """Bytes of all."""
        return len(self.providers) + len(self.openrouter or b"") + len(self.vercel or b"")


_encode: Final = Encoder().encode
_decode_providers: Final = Decoder(Providers).decode
_decode_openrouter: Final = Decoder(dict[str, FeedModel]).decode
_decode_vercel: Final = Decoder(dict[str, GatewayModel]).decode


def write_payloads(payloads: Payloads) -> Texts:
    """Their JSON, always the same for the same payloads."""
    return Texts(
        _encode(payloads.providers),
        None if payloads.openrouter is None else _encode(payloads.openrouter),
        None if payloads.vercel is None else _encode(payloads.vercel),
    )


def read_payloads(texts: Texts) -> Payloads:
    """Raises FeedError for what is not what `write_payloads` writes."""
    try:
        return Payloads(
            _decode_providers(texts.providers),
            None if texts.openrouter is None else _decode_openrouter(texts.openrouter),
            None if texts.vercel is None else _decode_vercel(texts.vercel),
        )
    except (ValidationError, ValueError, RecursionError) as error:
        raise FeedError(f"not a snapshot: {error}") from None
