import pytest

from tollway.catalog.classification import Classification
from tollway.catalog.preset import Preset
from tollway.storage.presets import load_preset

KILO = Classification(load_preset("kilo"))


@pytest.mark.parametrize(
    ("model", "hosted", "free"),
    [
        ("corethink:free", True, True),
        ("giga-potato", True, True),
        ("meta-llama/llama-4-scout:free", False, True),
        ("x-ai/grok-code-fast-1:optimized:free", False, True),
        ("openrouter/free", False, True),
        ("openrouter/x-alpha", False, True),
        ("openrouter/x-beta", False, True),
        ("openrouter/model-gamma", False, False),
        ("free-model", False, False),
        ("x-alpha", False, False),
        ("a/b:FREE", False, False),
    ],
)
def test_kinds_of_free(model: str, hosted: bool, free: bool) -> None:
    assert (KILO.is_hosted_free(model), KILO.is_free(model)) == (hosted, free)


def test_the_neutral_preset_pays_for_nothing() -> None:
    assert not Classification(Preset()).is_hosted_free("corethink:free")
