import json

import pytest
from msgspec import structs

from servers.feeds import Feeds, card, model, provider
from tollway.catalog.feed.building import build_providers
from tollway.catalog.feed.payloads import Payloads, Texts, read_payloads, write_payloads
from tollway.catalog.feed.reading import FeedError, read_cards, read_directory, read_gateway_models, read_models


def payloads(feeds: Feeds | None = None) -> Payloads:
    """Of stand-in sources, without endpoints."""
    feeds = feeds or Feeds()
    models = read_models(json.dumps({"data": feeds.models}).encode()).entries
    vercel = read_gateway_models(json.dumps({"data": feeds.vercel}).encode()).entries
    directory = read_directory(json.dumps(feeds.providers).encode()).entries
    cards = {
        one.slug: read_cards(json.dumps({"data": {"models": feeds.cards[one.name]}}).encode()).entries
        for one in directory
    }
    providers = build_providers(directory, cards, (), {}, "2026-11-20T12:00:00.000Z")
    return Payloads(providers, {one.id: one for one in models}, {one.id: one for one in vercel})


def test_what_is_written_is_read_again_in_the_same_order() -> None:
    made = payloads()
    texts = write_payloads(made)
    assert read_payloads(texts) == made
    assert list(read_payloads(texts).openrouter or ()) == list(made.openrouter or ())
    assert write_payloads(read_payloads(texts)) == texts
    assert texts.size == sum(len(one or b"") for one in structs.astuple(texts))


def test_a_gateway_that_was_not_asked_is_nothing() -> None:
    texts = write_payloads(structs.replace(payloads(), vercel=None))
    assert texts.vercel is None
    assert read_payloads(texts).vercel is None


def test_fields_are_those_of_the_wire() -> None:
    (one,) = json.loads(write_payloads(payloads(_single())).providers)["providers"]
    assert set(one) == {"name", "displayName", "slug", "dataPolicy", "headquarters", "models"}
    assert set(one["models"][0]) >= {"slug", "name", "author", "endpoint", "permaslug", "updated_at"}


def _single() -> Feeds:
    feeds = Feeds(models=1)
    feeds.providers, feeds.cards, feeds.models = [provider("p")], {"P": [card("a/b")]}, [model("a/b")]
    return feeds


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"a/b":5}', b"\xff", b"[" * 100_000])
def test_anything_else_is_no_snapshot(text: bytes) -> None:
    good = write_payloads(payloads())
    with pytest.raises(FeedError):
        read_payloads(structs.replace(good, providers=text))
    if text != b"{}":
        with pytest.raises(FeedError):
            read_payloads(Texts(good.providers, text, None))
        with pytest.raises(FeedError):
            read_payloads(Texts(good.providers, None, text))
