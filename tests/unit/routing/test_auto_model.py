import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import encode

from tollway.catalog.preset import AutoModel, AutoTarget
from tollway.routing.auto_model import auto_models, metric_names, resolve, target_of
from tollway.wire.chat import ChatRequest, parse_chat

CALM, DEEP = AutoTarget("Vendor/Calm", {"enabled": True}, "low"), AutoTarget("vendor/deep:thinking")
ENTRY = AutoModel("House/Auto", CALM, {"plan": DEEP}, aliases=("auto/House",))


def request(**more: object) -> ChatRequest:
    return parse_chat(encode({"model": "house/auto", "messages": [], **more}))


def test_ids_and_aliases_in_lower_case() -> None:
    assert auto_models([ENTRY]) == {"house/auto": ENTRY, "auto/house": ENTRY}


@pytest.mark.parametrize(
    ("mode", "target"), [(None, CALM), ("", CALM), ("plan", DEEP), ("PLAN", DEEP), ("plans", CALM), ("code", CALM)]
)
def test_modes(mode: str | None, target: AutoTarget) -> None:
    assert target_of(ENTRY, mode) is target


def test_what_the_target_says_wins_and_what_it_does_not_say_stays() -> None:
    asked = request(reasoning={"effort": "high"}, verbosity="high", n=2, stream=True)
    calm, deep = resolve(asked, ENTRY, None), resolve(asked, ENTRY, "plan")
    assert (calm.body["reasoning"], calm.body["verbosity"]) == ({"enabled": True}, "low")
    assert (deep.body["reasoning"], deep.body["verbosity"]) == ({"effort": "high"}, "high")
    assert "reasoning" not in resolve(request(), ENTRY, "plan").body
    assert (calm.choices, calm.stream, calm.body_bytes) == (2, True, asked.body_bytes)


def test_the_model_is_lower_cased_and_the_auto_id_kept() -> None:
    asked = request()
    resolved = resolve(asked, ENTRY, None)
    assert (resolved.model, resolved.body["model"], resolved.auto_model) == ("vendor/calm", "vendor/calm", "house/auto")
    assert (resolved.requested_model, asked.requested_model, asked.auto_model) == ("house/auto", "house/auto", None)


def test_neither_the_request_nor_the_preset_is_changed() -> None:
    asked = request(verbosity="high")
    resolve(asked, ENTRY, None).body["reasoning"]["enabled"] = False
    assert asked.body == {"model": "house/auto", "messages": [], "verbosity": "high"}
    assert CALM.reasoning == {"enabled": True}


def test_names_in_metrics() -> None:
    assert metric_names(resolve(request(), ENTRY, "plan")) == ("house/auto", "vendor/deep")
    assert metric_names(parse_chat(b'{"model":"A/B:x:free"}')) == ("a/b:x:free", "a/b")


NAMES = st.sampled_from(["reasoning", "verbosity", "temperature", "provider", "tools"])


@given(st.dictionaries(NAMES, st.one_of(st.none(), st.booleans())), st.sampled_from([None, "plan", "code"]))
def test_only_three_fields_are_ever_touched(more: dict[str, object], mode: str | None) -> None:
    more.pop("tools", None)
    asked = request(**more)
    resolved = resolve(asked, ENTRY, mode)
    mine = {"model", "reasoning", "verbosity"}
    for name in {*asked.body, *resolved.body} - mine:
        assert resolved.body[name] is asked.body[name]
    assert resolve(resolved, ENTRY, mode).body == resolved.body
