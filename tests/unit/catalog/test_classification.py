from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tollway.catalog.classification import PAID, Classification
from tollway.catalog.preset import HostedModel, Preset
from tollway.storage.presets import load_preset

HOSTED = HostedModel("House/Model", "internal", "house", 1_000, 100, inference_providers=("hidden",))
KILO = Classification(load_preset("kilo"))


def preset(**changes: object) -> Preset:
    return replace(Preset(hosted_models=(HOSTED,)), **changes)


def test_a_neutral_preset_has_only_paid_models() -> None:
    """Nobody gets in without a credential unless the operator says so."""
    neutral = Classification(Preset())
    for name in ("a/b", "a/b:free", "openrouter/free", "giga-potato", ""):
        assert neutral.kind_of(name) is PAID


def test_a_hosted_model_is_free_while_it_is_enabled() -> None:
    kind = Classification(preset()).kind_of("house/model")
    assert (kind.is_hosted_free, kind.is_free, kind.is_dead, kind.is_stealth) == (True, True, False, False)
    assert kind.entry is HOSTED


def test_a_dead_one_is_free_only_by_its_name() -> None:
    dead = replace(HOSTED, is_enabled=False)
    kind = Classification(preset(hosted_models=(dead,))).kind_of("house/model")
    assert (kind.is_hosted_free, kind.is_free, kind.is_dead) == (False, False, True)
    assert Classification(preset(hosted_models=(dead,), free_models=("*model",))).kind_of("house/model").is_free


def test_stealth_is_a_provider_of_the_preset_and_nobody_by_default() -> None:
    assert not Classification(preset()).kind_of("house/model").is_stealth
    assert Classification(preset(stealth_provider="hidden")).kind_of("house/model").is_stealth


def test_a_model_may_be_hosted_and_unavailable() -> None:
    """Both lists are the operator's; the one that shuts the door wins when the request is checked."""
    kind = Classification(preset(unavailable_models=("house/model", "x/y"), free_models=("x/*",)))
    assert (kind.kind_of("house/model").is_unavailable, kind.kind_of("house/model").entry) == (True, HOSTED)
    assert (kind.kind_of("x/y").is_unavailable, kind.kind_of("x/y").is_free) == (True, True)


def test_a_pattern_is_no_regular_expression() -> None:
    one = Classification(Preset(free_models=("a.b/*+c",)))
    assert one.kind_of("a.b/x+c").is_free
    assert one.kind_of("a.b/\n+c").is_free
    for name in ("aXb/x+c", "a.b/xc", "a.b/x+c\n", "xa.b/x+c"):
        assert not one.kind_of(name).is_free


@given(st.from_regex(r"(openrouter/)?-?[ab/]{0,3}(-alpha|-beta|:free|free)?", fullmatch=True))
def test_the_rules_of_the_page(name: str) -> None:
    """The shipped patterns against the words of 5.1.2."""
    is_preview = name.startswith("openrouter/") and name.endswith(("-alpha", "-beta"))
    expected = name.endswith(":free") or name == "openrouter/free" or is_preview
    assert KILO.kind_of(name).is_free is expected
