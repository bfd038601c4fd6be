import pytest

from tollway.catalog.preset import Preset, PresetError, parse_preset


def test_what_is_not_named_has_its_default() -> None:
    assert parse_preset(b"", "x") == Preset()
    preset = parse_preset(b"name = 'mine'\n[free]\nhosted_count = 5\n", "x")
    assert (preset.name, preset.free.hosted_count, preset.free.hosted_window_s) == ("mine", 5, 3_600)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"nmae = 'x'", "x.toml: .*unknown field `nmae`"),
        (b"[[hosted_models]]\npublic_id = 'a'", "x.toml: .*missing required field `internal_id`"),
        (b"name = ", "x.toml: "),
        (b"\xff", "x.toml: "),
    ],
)
def test_a_file_that_is_wrong_is_named(text: bytes, error: str) -> None:
    with pytest.raises(PresetError, match=f"^preset: {error}"):
        parse_preset(text, "x.toml")
