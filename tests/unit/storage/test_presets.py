from pathlib import Path

import pytest

from tollway.catalog.preset import AutoTarget, Preset, PresetError
from tollway.storage.presets import load_preset


def test_the_neutral_preset_has_no_rules() -> None:
    assert load_preset("") == Preset()


def test_the_shipped_one() -> None:
    """The figures that clients see; the vectors look at the rest."""
    kilo = load_preset("kilo")
    hosted = {model.public_id: model for model in kilo.hosted_models}
    assert [name for name, model in hosted.items() if not model.is_enabled] == [
        "x-ai/grok-code-fast-1:optimized:free",
        "z-ai/glm-5:free",
    ]
    assert hosted["minimax/minimax-m2.5:free"].context_length == 204_800
    assert (len(kilo.unavailable_models), len(kilo.features), len(kilo.split.models)) == (24, 17, 13)
    assert kilo.auto_models[1].default == AutoTarget("minimax/minimax-m2.5:free")
    everything = [*hosted, *kilo.unavailable_models, *kilo.split.models, *(model.id for model in kilo.auto_models)]
    assert all(name == name.lower() for name in everything)


def test_a_file_of_the_operator(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("name = 'mine'\n[free]\nhosted_count = 5\n")
    assert load_preset(str(path)).free.hosted_count == 5
    with pytest.raises(PresetError, match="cannot be read"):
        load_preset(str(tmp_path / "none.toml"))
    with pytest.raises(PresetError, match=r"neither a \.toml file nor a shipped one, which are: kilo"):
        load_preset("kiro")
