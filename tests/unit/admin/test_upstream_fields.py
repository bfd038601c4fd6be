from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.admin.upstream_fields import (
    KEY_CHARACTERS_MAX,
    METADATA_BYTES_MAX,
    MODELS_MAX,
    check_address,
    check_display_name,
    check_flag,
    check_headers,
    check_key,
    check_metadata,
    check_provider_id,
    reserved_names,
)
from tollway.catalog.preset import AutoModel, AutoTarget, HostedModel, Preset
from tollway.errors import Code, Problem
from tollway.identity.outbound import OutboundRules
from unit.gateway.fakes import PRESET

VENDORS = {
    *("kilo", "kilo-internal", "kilo-auto", "openrouter", "vercel", "custom", "tollway", "anthropic", "openai"),
    *("google", "x-ai", "z-ai", "mistralai", "minimax", "moonshotai", "qwen", "deepseek", "meta-llama", "arcee-ai"),
    *("nvidia", "cognitivecomputations", "liquid", "nousresearch", "upstage"),
}


def refused(checked: object, field: str) -> bool:
    if not isinstance(checked, Problem):
        return False
    assert checked.code is Code.BAD_REQUEST
    assert checked.shown
    assert checked.shown.startswith(f"{field}: ")
    return True


def test_the_shipped_preset_reserves_what_the_page_names() -> None:
    assert reserved_names(PRESET, (), ()) >= VENDORS


def test_whatever_means_something_already_is_reserved() -> None:
    preset = Preset(
        hosted_models=(HostedModel("Hosted/m", "x", "gw", 1, 1),),
        auto_models=(AutoModel("auto/m", AutoTarget("a/b"), aliases=("alias/m",)),),
        reserved_names=("named",),
    )
    names = reserved_names(preset, ["vendor/name", "bare"], ["prov"])
    assert {"hosted", "auto", "alias", "named", "vendor", "bare", "prov", "custom", "tollway"} <= names


@pytest.mark.parametrize("value", [None, 1, "", "A", "a_b", "-a", "a-", "a" * 49, "a\n", "é"])
def test_provider_ids_that_are_refused(value: object) -> None:
    assert refused(check_provider_id(value, ()), "provider_id")


@given(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?", fullmatch=True))
def test_provider_ids_that_are_not(name: str) -> None:
    assert check_provider_id(name, ()) == name
    assert refused(check_provider_id(name, {name}), "provider_id")


def test_display_names() -> None:
    assert check_display_name("  Acme ") == "Acme"
    assert check_display_name("x" * 100) == "x" * 100
    for value in (None, "", "  ", "x" * 101, "a\x07b"):
        assert refused(check_display_name(value), "display_name")


def test_addresses() -> None:
    for value in (None, 5, "http://a.example", "https://127.0.0.1/v1"):
        assert refused(check_address(value, OutboundRules()), "base_url")
    assert not isinstance(check_address("https://a.example/v1/", OutboundRules()), Problem)


@pytest.mark.parametrize("value", [None, "", " ", "a\r\nX: y", "a\x00", "schlüssel", "x" * (KEY_CHARACTERS_MAX + 1)])
def test_keys_that_no_header_may_have(value: object) -> None:
    problem = check_key(value)
    assert refused(problem, "api_key")
    assert not (isinstance(value, str) and value.strip() and value in repr(problem))


@pytest.mark.parametrize("value", ["k", " sk-a \n", "a b", "x" * KEY_CHARACTERS_MAX])
def test_keys(value: str) -> None:
    assert check_key(value) == value.strip()


def test_headers() -> None:
    assert check_headers(None) is None
    assert check_headers({}) is None
    assert check_headers({"X-Team": "blue"}) == {"X-Team": "blue"}
    for value in ([], {"Host": "x"}, {"X": 1}, {"X-A": "a\nb"}, {"X-A": "1", "x-a": "2"}):
        assert refused(check_headers(value), "extra_headers")


def test_flags() -> None:
    assert check_flag("is_enabled", False) is False
    assert refused(check_flag("is_enabled", 1), "is_enabled")


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"models": []},
        {"models": [{"id": "m", "name": "M", "supportsVision": True, "context_length": 5, "x": [1]}], "more": {"a": 1}},
        {"models": [{"id": "m"}, {"id": "n", "supportsReasoning": False, "max_completion_tokens": 1}]},
        {"models": [{"id": str(number)} for number in range(MODELS_MAX)]},
        {"models": [{"id": "x" * 200}]},
    ],
)
def test_metadata_stays_as_it_came(value: dict[str, Any]) -> None:
    assert check_metadata(value) is value


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {"models": {}},
        {"models": [5]},
        {"models": [{}]},
        {"models": [{"id": " "}]},
        {"models": [{"id": 1}]},
        {"models": [{"id": "x" * 201}]},
        {"models": [{"id": "m"}, {"id": "M"}]},
        {"models": [{"id": "m", "name": 1}]},
        {"models": [{"id": "m", "supportsVision": "yes"}]},
        {"models": [{"id": "m", "context_length": 0}]},
        {"models": [{"id": "m", "context_length": True}]},
        {"models": [{"id": "m", "context_length": 2**53}]},
        {"more": "a\0b"},
        {"a\0b": 1},
        {"models": [{"id": str(number)} for number in range(MODELS_MAX + 1)]},
        {"more": "x" * METADATA_BYTES_MAX},
    ],
)
def test_metadata_that_is_refused(value: object) -> None:
    assert refused(check_metadata(value), "model_metadata")
