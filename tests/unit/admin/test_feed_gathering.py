import asyncio
import json
from typing import Any

import pytest
from msgspec import structs

from servers.feeds import FakeSources, Feeds, model, provider
from tollway.admin import feed_gathering
from tollway.admin.feed_gathering import Gathered, gather, gather_public_providers
from tollway.catalog.feed.reading import FeedError
from tollway.catalog.preset import Preset
from unit.catalog.feed.test_payloads import payloads

AT = "2026-11-20T12:00:00.000Z"


def gathered(feeds: Feeds, *gateways: str, previous: Any = None) -> Gathered:
    return asyncio.run(gather(FakeSources(feeds, *gateways), previous, Preset(), AT, [].append))


def test_everything_is_put_together() -> None:
    feeds = Feeds()
    feeds.tags["vendor/model-3"] = ["one", "two"]
    found = gathered(feeds)
    assert len(found.payloads.openrouter or ()) == len(found.payloads.vercel or ()) == 120
    assert [one.tag for one in (found.payloads.vercel or {})["vendor/model-3"].endpoints] == ["one", "two"]
    assert found.payloads.providers.total_models == 120
    assert found.payloads.providers.generated_at == AT
    assert (found.dropped, found.dropped_ids, found.kept) == ({}, (), ())


def test_only_the_gateways_with_a_key_are_asked() -> None:
    feeds = Feeds()
    found = gathered(feeds, "vercel")
    assert found.payloads.openrouter is None
    assert {where for where, _ in feeds.asked} == {"vercel", "site"}


def test_a_model_that_the_endpoint_route_does_not_know_has_none() -> None:
    feeds = Feeds()
    feeds.says["openrouter", "/models/vendor0/model-0/endpoints"] = (404, b"")
    found = gathered(feeds)
    assert (found.payloads.openrouter or {})["vendor0/model-0"].endpoints == ()
    assert found.kept == ()


def test_an_id_that_leads_elsewhere_is_skipped_and_counted() -> None:
    feeds = Feeds()
    feeds.models.append(model("a/../b"))
    found = gathered(feeds)
    assert "a/../b" not in (found.payloads.openrouter or {})
    assert found.dropped == {"openrouter.path": 1}
    assert not any(".." in path for _, path in feeds.asked)


def test_of_endpoints_that_cannot_be_had_the_whole_entry_stays_and_a_new_model_waits() -> None:
    feeds = Feeds()
    before = payloads(feeds)
    feeds.models.insert(0, model("new/model"))
    for id_ in ("new/model", "vendor0/model-0"):
        feeds.says["openrouter", f"/models/{id_}/endpoints"] = (200, b"not json")
    known = structs.replace(before, openrouter={**(before.openrouter or {})})
    found = gathered(feeds, previous=known)
    assert found.kept == ("new/model", "vendor0/model-0")
    assert "new/model" not in (found.payloads.openrouter or {})
    assert (found.payloads.openrouter or {})["vendor0/model-0"] == (before.openrouter or {})["vendor0/model-0"]


@pytest.mark.parametrize(
    ("where", "path"),
    [
        ("openrouter", "/models"),
        ("vercel", "/models"),
        ("site", "/all-providers"),
        ("site", "/models/find?providers=Provider-3&fmt=cards"),
    ],
)
@pytest.mark.parametrize("said", [(500, b""), (200, b"<html>"), (404, b"")])
def test_whatever_is_essential_fails_the_run(where: str, path: str, said: tuple[int, bytes]) -> None:
    feeds = Feeds()
    feeds.says[where, path] = said
    with pytest.raises(FeedError):
        gathered(feeds)


def test_an_empty_directory_fails_the_run() -> None:
    feeds = Feeds()
    feeds.providers = []
    with pytest.raises(FeedError, match="No providers found in OpenRouter response"):
        gathered(feeds)
    feeds.providers = [{**provider("a"), "dataPolicy": None}]
    with pytest.raises(FeedError, match="No providers found"):
        gathered(feeds)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ((500, b""), "the public provider list is not there: public /providers: status 500"),
        ((200, b"nonsense"), "the public provider list is not there: not an answer of the expected shape"),
        ((404, b""), "the public provider list is not there: public has no /providers"),
        ((200, json.dumps({"data": []}).encode()), "the public provider list has 0 entries, fewer than 10"),
    ],
)
def test_the_ancillary_list_is_told_of_and_no_more(said: tuple[int, bytes], told: str) -> None:
    feeds = Feeds()
    feeds.says["public", "/providers"] = said
    lines: list[str] = []
    assert asyncio.run(gather_public_providers(FakeSources(feeds), lines.append)) is None
    assert len(lines) == 1
    assert lines[0].startswith(told)


def test_so_many_are_asked_at_once_and_no_more() -> None:
    open_, most = 0, 0

    class Counting(FakeSources):
        async def get(self, where: str, path: str, retries: int = 2) -> bytes | None:
            nonlocal open_, most
            open_ += 1
            most = max(most, open_)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            open_ -= 1
            return await super().get(where, path, retries)

    asyncio.run(gather(Counting(Feeds()), None, Preset(), AT, [].append))
    assert most == feed_gathering.ENDPOINTS_AT_ONCE
