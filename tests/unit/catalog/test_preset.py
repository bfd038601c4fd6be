import pytest

from tollway.catalog.preset import Preset, PresetError, parse_preset


def test_what_is_not_named_has_its_default() -> None:
    assert parse_preset(b"", "x") == Preset()
    preset = parse_preset(b"name = 'mine'\n[free]\nhosted_count = 5\n", "x")
    assert (preset.name, preset.free.hosted_count, preset.free.hosted_window_s) == ("mine", 5, 3_600)


HOSTED = b"""[[hosted_models]]
public_id = "%b"
internal_id = "i"
gateway = "g"
context_length = 1
completion_tokens_max = 1
"""
AUTO = b"""[[auto_models]]
id = "%b"
aliases = ["%b"]
default = { model = "m" }
"""


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (HOSTED % b"a" + HOSTED % b"A", "x.toml: hosted_models: a occurs twice"),
        (AUTO % (b"a", b"b") + AUTO % (b"c", b"B"), "x.toml: auto_models: b occurs twice"),
        (AUTO % (b"a", b"a"), "x.toml: auto_models: a occurs twice"),
    ],
)
def test_a_name_has_one_meaning(text: bytes, error: str) -> None:
    with pytest.raises(PresetError, match=error):
        parse_preset(text, "x.toml")


def test_names_that_differ() -> None:
    preset = parse_preset(HOSTED % b"a" + HOSTED % b"b" + AUTO % (b"a", b"b"), "x.toml")
    assert len(preset.hosted_models) == 2


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"nmae = 'x'", "x.toml: .*unknown field `nmae`"),
        (b"[[hosted_models]]\npublic_id = 'a'", "x.toml: .*missing required field `internal_id`"),
        (b'stream_comment = "a\\n\\ndata: b"', "x.toml: stream_comment: must be one line"),
        (b"name = ", "x.toml: "),
        (b"\xff", "x.toml: "),
    ],
)
def test_a_file_that_is_wrong_is_named(text: bytes, error: str) -> None:
    with pytest.raises(PresetError, match=f"^preset: {error}"):
        parse_preset(text, "x.toml")


@pytest.mark.parametrize(
    "line",
    [
        b"provider = 'two'",
        b"percentage_healthy = 101",
        b"percentage_failing = -1",
        b"window_s = 0",
        b"cache_s = -1",
        b"error_rate_max = 1.1",
    ],
)
def test_a_split_that_is_none(line: bytes) -> None:
    with pytest.raises(PresetError, match=r"^preset: x\.toml: .*split"):
        parse_preset(b"[split]\n" + line, "x.toml")


def test_a_split_between_two() -> None:
    split = parse_preset(b"[split]\nprovider = 'two'\ndefault_provider = 'one'", "x").split
    assert (split.default_provider, split.provider, split.percentage_healthy) == ("one", "two", 10)


@pytest.mark.parametrize(
    "lines",
    [
        b"completion_tokens_default = 0",
        b"output_limits = [{ name = 'claude' }]",
        b"output_limits = [{ name = 'claude', completion_tokens = 0 }]",
        b"betas = { sometimes = 'x' }",
    ],
)
def test_facts_about_anthropic_that_are_none(lines: bytes) -> None:
    with pytest.raises(PresetError, match=r"^preset: x\.toml: .*anthropic"):
        parse_preset(b"[anthropic]\n" + lines, "x.toml")


def test_facts_about_anthropic() -> None:
    facts = parse_preset(b"[anthropic]\nbetas = { always = ['b'], pdf = '' }", "x").anthropic
    assert (facts.betas.always, facts.betas.pdf, facts.completion_tokens_default) == (("b",), "", 4_096)


def test_facts_about_openai() -> None:
    facts = parse_preset(b"[openai]\nreasoning_models = ['o9']", "x").openai
    assert (facts.reasons("o9-mini"), facts.plain_models, facts.phases_base_url) == (True, (), "")
    with pytest.raises(PresetError, match=r"^preset: x\.toml: .*openai"):
        parse_preset(b"[openai]\nreasoning_model = ['o9']", "x.toml")
