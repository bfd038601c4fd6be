from collections.abc import Iterator

import pytest

from servers.feeds import Feeds, FeedServer, model
from tollway.admin.sync import SyncResult
from tollway.catalog.feed.changes import Changes, PriceChange
from tollway.cli import sync
from tollway.cli.sync import changes_in_words, report
from unit.cli.conftest import Run


@pytest.fixture
def server() -> Iterator[FeedServer]:
    made = FeedServer(Feeds())
    yield made
    made.close()


def at(server: FeedServer) -> dict[str, str]:
    return {
        "TOLLWAY_PROVIDERS__OPENROUTER__BASE_URL": f"{server.url}/openrouter/api/v1",
        "TOLLWAY_PROVIDERS__OPENROUTER__API_KEY": "sk-not-a-real-key",
        "TOLLWAY_CATALOG__SITE_URL": f"{server.url}/site",
        "TOLLWAY_CATALOG__PUBLIC_URL": f"{server.url}/public",
    }


def test_a_run_from_the_first_to_the_last(run: Run, server: FeedServer) -> None:
    first = run("sync", "--json", **at(server))
    assert first.json["outcome"] == "stored"
    assert len(first.json["changes"]["added"]) == 120
    assert "openrouter: 120 models\n" in first.err
    server.feeds.models[0] = model("vendor0/model-0", "0.00002")
    held = run("sync", **at(server))
    assert held.code == 1
    assert held.out.splitlines() == [
        "~ vendor0/model-0 prompt: 0.000002 → 0.00002 USD",
        "Held, nothing is stored. If this is right: tollway sync --accept",
        "  vendor0/model-0: prompt 0.000002 → 0.00002 USD",
    ]
    accepted = run("sync", "--accept", **at(server))
    assert (accepted.code, accepted.out.splitlines()[-1]) == (
        0,
        "Snapshot 2: 12 providers, 120 models by provider, models 120 of openrouter; 1 new prices.",
    )
    back = run("sync", "--rollback", **at(server))
    assert back.out.splitlines()[0] == "~ vendor0/model-0 prompt: 0.00002 → 0.000002 USD"
    assert "Snapshot 3" in back.out


def test_a_run_that_fails_says_why(run: Run, server: FeedServer) -> None:
    server.feeds.says["site", "/all-providers"] = (404, b"")
    failed = run("sync", **at(server))
    assert (failed.code, failed.out) == (1, "Failed, nothing is stored.\n  site has no /all-providers\n")


def test_without_a_gateway_there_is_nothing_to_read(run: Run) -> None:
    ended = run("sync")
    assert (ended.code, ended.err) == (1, f"tollway: {sync.NOTHING}\n")
    assert run("sync", "--accept", "--rollback").code == 2


def test_changes_are_told_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync, "SHOWN_MAX", 2)
    changes = Changes(
        added=("a", "b", "c"),
        removed=("d",),
        prices=(PriceChange("e", "prompt", None, "1"), PriceChange("e", "image", "2", None)),
        providers_added=("p",),
        providers_removed=("q",),
    )
    assert changes_in_words(changes) == [
        "+ a",
        "+ b",
        "+ … and 1 more",
        "- d",
        "~ e prompt: none → 1 USD",
        "~ e image: 2 → none USD",
        "+ provider p",
        "- provider q",
    ]


def test_what_was_dropped_and_what_stayed_is_told() -> None:
    result = SyncResult("running", dropped={"openrouter.shape": 2, "cards.price": 1}, kept=("a/b",))
    assert report(result) == [
        "Entries that could not be read: 1 cards.price, 2 openrouter.shape.",
        "Stay as they were, because their endpoints cannot be had: a/b.",
    ]
