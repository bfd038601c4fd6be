"""Vectors CL1 to CL7 of request-path; who gets in by them is in test_request_anonymous.py, through the program."""

import pytest

from tollway.catalog.classification import Classification
from tollway.storage.presets import load_preset

KILO = load_preset("kilo")
KINDS = Classification(KILO)


@pytest.mark.parametrize(
    ("models", "is_hosted", "is_free", "is_dead"),
    [
        pytest.param(
            ["minimax/minimax-m2.5:free", "giga-potato", "corethink:free"], True, True, False, id="request:CL1"
        ),
        pytest.param(["meta-llama/llama-4-scout:free"], False, True, False, id="request:CL2"),
        pytest.param(
            ["openrouter/free", "openrouter/x-alpha", "openrouter/x-beta"], False, True, False, id="request:CL3"
        ),
        pytest.param(
            ["openrouter/model-gamma", "free-model", "x-alpha", "a/b:FREE"], False, False, False, id="request:CL4"
        ),
        pytest.param(["x-ai/grok-code-fast-1:optimized:free"], False, True, True, id="request:CL5"),
    ],
)
def test_kinds(models: list[str], is_hosted: bool, is_free: bool, is_dead: bool) -> None:
    for model in models:
        kind = KINDS.kind_of(model)
        assert (kind.is_hosted_free, kind.is_free, kind.is_dead) == (is_hosted, is_free, is_dead), model


@pytest.mark.parametrize(
    "model",
    [
        pytest.param("x-ai/grok-code-fast-1:optimized:free", id="request:CL5-stealth"),
        pytest.param("giga-potato-thinking", id="request:CL6"),
    ],
)
def test_stealth(model: str) -> None:
    assert KINDS.kind_of(model).is_stealth
    assert not KINDS.kind_of("corethink:free").is_stealth


@pytest.mark.parametrize("model", [pytest.param("minimax/minimax-m2.5:free", id="request:CL7")])
def test_one_table(model: str) -> None:
    entry = KINDS.kind_of(model).entry
    assert entry
    assert entry.context_length == 204_800
    assert [one for one in KILO.hosted_models if one.public_id == model] == [entry]
