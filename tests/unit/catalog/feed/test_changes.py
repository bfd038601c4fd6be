from msgspec import structs

from tollway.catalog.feed.changes import PriceChange, changes_of
from unit.catalog.feed.test_guards import BEFORE, ID, repriced


def test_nothing_changes_nothing() -> None:
    assert changes_of(BEFORE, BEFORE).is_empty


def test_against_nothing_everything_is_new() -> None:
    changes = changes_of(BEFORE, None)
    assert len(changes.added) == 120
    assert changes.added == tuple(sorted(changes.added))
    assert len(changes.providers_added) == 12
    assert (changes.removed, changes.prices, changes.providers_removed) == ((), (), ())
    assert not changes.is_empty


def test_what_comes_is_what_goes_the_other_way_round() -> None:
    models = {**(BEFORE.openrouter or {})}
    del models[ID]
    providers = structs.replace(BEFORE.providers, providers=BEFORE.providers.providers[1:])
    fewer = structs.replace(BEFORE, openrouter=models, providers=providers)
    gone, back = changes_of(fewer, BEFORE), changes_of(BEFORE, fewer)
    assert gone.removed == back.added == (ID,)
    assert gone.providers_removed == back.providers_added == (BEFORE.providers.providers[0].slug,)


def test_prices_are_told_one_by_one() -> None:
    changes = changes_of(repriced(prompt="0.000003", input_cache_read="0.0000010"), BEFORE)
    assert changes.prices == (
        PriceChange(ID, "input_cache_read", None, "0.0000010"),
        PriceChange(ID, "prompt", "0.000002", "0.000003"),
    )
    gone = changes_of(repriced(prompt="-1"), BEFORE).prices
    assert {(one.what, one.now) for one in gone} == {
        (what, None) for what in ("prompt", "completion", "request", "image")
    }
    assert changes_of(structs.replace(BEFORE, openrouter=None), None).added == ()
