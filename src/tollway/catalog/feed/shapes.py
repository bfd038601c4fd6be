"""The entries that sources list, as far as we read them. Nothing that is not named here is stored.

Prices stay the text they were published as. Field names are those of the wire. Source: catalog-and-clients A.2.
"""

from typing import Annotated, Any, Final

from msgspec import Meta, Struct

TAG_CHARS_MAX: Final = 256

Count = Annotated[int, Meta(ge=0, le=2**53)]
Text = Annotated[str, Meta(max_length=65_536)]
Name = Annotated[str, Meta(min_length=1, max_length=512)]
Word = Annotated[str, Meta(max_length=512)]
Words = Annotated[tuple[Word, ...], Meta(max_length=200)]
PriceText = Annotated[str, Meta(max_length=64)]


class Architecture(Struct, frozen=True):
    input_modalities: Words
    output_modalities: Words
    tokenizer: Word


class TopProvider(Struct, frozen=True, omit_defaults=True):
    is_moderated: bool
    context_length: Count | None = None
    max_completion_tokens: Count | None = None


class Pricing(Struct, frozen=True, omit_defaults=True):
    """USD per token, but for `image`, `request` and `web_search`, which are per piece. "-1": it varies."""

    prompt: PriceText
    completion: PriceText
    image: PriceText | None = None
    request: PriceText | None = None
    web_search: PriceText | None = None
    internal_reasoning: PriceText | None = None
    input_cache_read: PriceText | None = None
    input_cache_write: PriceText | None = None


class EndpointPricing(Struct, frozen=True, omit_defaults=True):
    """The same of one endpoint, of which less is promised."""

    prompt: PriceText | None = None
    completion: PriceText | None = None
    image: PriceText | None = None
    request: PriceText | None = None
    input_cache_read: PriceText | None = None
    input_cache_write: PriceText | None = None


class Endpoint(Struct, frozen=True, omit_defaults=True):
    """Where a gateway sends requests for a model."""

    tag: Annotated[str, Meta(max_length=TAG_CHARS_MAX)] | None = None
    provider_name: Word | None = None
    context_length: Count | None = None
    pricing: EndpointPricing | None = None


Endpoints = tuple[Endpoint, ...]


class FeedModel(Struct, frozen=True, omit_defaults=True):
    """A model of the default gateway (source 1), with its endpoints (source 2) once they are known."""

    id: str
    name: Name
    description: Text
    created: Count
    context_length: Count
    architecture: Architecture
    top_provider: TopProvider
    pricing: Pricing
    per_request_limits: dict[str, Any] | None = None
    supported_parameters: Words | None = None
    endpoints: Endpoints = ()


class GatewayModel(Struct, frozen=True, omit_defaults=True):
    """A model of the second gateway (sources 3 and 4)."""

    id: str
    name: Name
    type: Word | None = None
    endpoints: Endpoints = ()


class DataPolicy(Struct, frozen=True):
    training: bool
    retainsPrompts: bool  # noqa: N815  (as on the wire)
    canPublish: bool  # noqa: N815  (as on the wire)


class Icon(Struct, frozen=True, omit_defaults=True):
    url: Text
    className: Word | None = None  # noqa: N815  (as on the wire)


class DirectoryEntry(Struct, frozen=True):
    """An inference provider (source 5)."""

    name: Name
    displayName: Name  # noqa: N815  (as on the wire)
    slug: str
    dataPolicy: DataPolicy  # noqa: N815  (as on the wire)
    headquarters: Word | None = None
    datacenters: Words | None = None
    icon: Icon | None = None


class CardPricing(Struct, frozen=True):
    prompt: PriceText
    completion: PriceText


class CardEndpoint(Struct, frozen=True, omit_defaults=True):
    provider_display_name: Word | None = None
    is_free: bool | None = None
    pricing: CardPricing | None = None


class Card(Struct, frozen=True):
    """A model as one inference provider lists it (source 6), in short."""

    slug: str
    name: Name
    author: Word | None = None
    description: Text | None = None
    context_length: Count | None = None
    input_modalities: Words | None = None
    output_modalities: Words | None = None
    group: Word | None = None
    updated_at: Word | None = None
    permaslug: Word | None = None
    endpoint: CardEndpoint | None = None


class PublicProvider(Struct, frozen=True):
    """An inference provider of the public list (source 7), which tells neither a display name nor a data policy."""

    name: Name
    slug: str
    privacy_policy_url: Text | None = None
    terms_of_service_url: Text | None = None
    status_page_url: Text | None = None
    headquarters: Word | None = None
    datacenters: Words | None = None
