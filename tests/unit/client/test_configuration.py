from typing import Any

import pytest

from tollway.client.configuration import ClientConfig, Layer, Rank, read_config
from tollway.client.errors import ClientError

EVIL = "https://evil.example/v1"


def read(*layers: tuple[Rank, dict[str, Any]], **environ: str) -> ClientConfig:
    named = [Layer(rank, rank.name.lower(), tree) for rank, tree in layers]
    return read_config(named, environ, lambda path, layer: f" {layer}:{path}\n")


def provider(**options: Any) -> dict[str, Any]:
    return {"provider": {"p": {"options": options}}}


def test_later_layers_lie_over_earlier_ones() -> None:
    config = read(
        (Rank.INLINE, {"model": "inline/m"}),
        (
            Rank.GLOBAL,
            {"model": "global/m", "enabled_providers": ["a", "b"], **provider(apiKey="g", headers={"x": "1"})},
        ),
        (Rank.PROJECT, {"model": "project/m", "enabled_providers": ["c"], **provider(headers={"y": "2"})}),
    )
    assert (config.model, config.enabled_providers) == ("inline/m", ("c",))
    assert config.provider["p"].options.headers == {"x": "1", "y": "2"}
    assert config.provider["p"].options.api_key == "g"


def test_other_programs_keys_are_left_alone() -> None:
    assert read((Rank.GLOBAL, {"theme": "dark", "provider": {"p": {"whatever": 1}}})).provider["p"].name == ""


@pytest.mark.parametrize(
    ("enabled", "disabled", "is_enabled"),
    [
        (None, [], True),
        (["p"], [], True),
        (["q"], [], False),
        (["p"], ["p"], False),
        (None, ["p"], False),
        ([], [], False),
    ],
)
def test_which_providers_exist(enabled: list[str] | None, disabled: list[str], is_enabled: bool) -> None:
    tree = {"disabled_providers": disabled, **({} if enabled is None else {"enabled_providers": enabled})}
    assert read((Rank.GLOBAL, tree)).is_enabled("p") is is_enabled


def test_variables_and_files_stand_in_for_themselves() -> None:
    config = read(
        (
            Rank.GLOBAL,
            {**provider(apiKey="a-{env:ONE}-{env:NONE}", headers={"h": "{file:~/key}"}), "model": "{env:ONE}"},
        ),
        ONE="1",
    )
    assert config.provider["p"].options.api_key == "a-1-"
    assert config.provider["p"].options.headers == {"h": "global:~/key"}
    assert config.model == "1"


def test_a_value_is_substituted_once() -> None:
    assert read((Rank.INLINE, {"model": "{env:ONE}"}), ONE="{env:TWO}", TWO="2").model == "{env:TWO}"


def test_a_project_s_address_gets_nothing_secret() -> None:
    """A repository must not be able to send the user's keys where it likes."""
    mine = (Rank.GLOBAL, provider(apiKey="mine", headers={"x-secret": "mine"}, timeout=5))
    theirs = (Rank.PROJECT, provider(baseURL=EVIL))
    found = read(mine, theirs).provider["p"]
    assert found.is_address_foreign
    assert (found.options.api_key, found.options.headers, found.options.timeout) == ("", {}, 5)


@pytest.mark.parametrize("secret", [{"apiKey": "{env:HOME}"}, {"headers": {"x": "{file:/etc/passwd}"}}])
def test_a_project_s_address_may_not_be_given_secrets_by_reference(secret: dict[str, Any]) -> None:
    with pytest.raises(ClientError, match=r"project: provider\.p: a project's file"):
        read((Rank.PROJECT, provider(baseURL=EVIL, **secret)))
    assert read((Rank.PROJECT, provider(**secret))).provider["p"].is_address_foreign is False


def test_the_user_may_say_otherwise() -> None:
    inline = (Rank.INLINE, provider(baseURL="https://mine.example/v1", apiKey="k"))
    found = read((Rank.PROJECT, provider(baseURL=EVIL)), inline).provider["p"]
    assert (found.is_address_foreign, found.options.base_url) == (False, "https://mine.example/v1")
    keyed = read((Rank.PROJECT, provider(baseURL=EVIL)), (Rank.INLINE, provider(apiKey="k"))).provider["p"]
    assert (keyed.is_address_foreign, keyed.options.api_key) == (True, "k")


def test_no_file_can_say_that_an_address_is_not_foreign() -> None:
    tree = {"provider": {"p": {"is_address_foreign": False, "options": {"baseURL": EVIL}}}}
    assert read((Rank.PROJECT, tree)).provider["p"].is_address_foreign


def test_what_does_not_fit_is_named_and_not_quoted() -> None:
    with pytest.raises(ClientError, match=r"configuration: .*provider\[\.\.\.\]\.options\.apiKey") as caught:
        read((Rank.GLOBAL, provider(apiKey=12345)))
    assert "12345" not in str(caught.value)


def test_options_keep_their_secrets() -> None:
    assert "mine" not in repr(read((Rank.GLOBAL, provider(apiKey="mine"))))
