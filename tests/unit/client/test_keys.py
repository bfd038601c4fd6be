import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.client.configuration import Options, ProviderConfig
from tollway.client.credentials import ApiCredential, OauthCredential, WellKnownCredential
from tollway.client.keys import Key, KeySource, masked, resolve_key

VARIABLES = ("FIRST_KEY", "SECOND_KEY")
PLAIN = ProviderConfig()
keys = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1)


def configured(key: str = "", **more: object) -> ProviderConfig:
    return ProviderConfig(options=Options(api_key=key), **more)  # type: ignore[arg-type]


@given(keys, keys, keys, st.booleans(), st.booleans(), st.booleans())
def test_the_highest_place_that_has_one_counts(
    a: str, b: str, c: str, in_cfg: bool, in_store: bool, in_env: bool
) -> None:
    stored = ApiCredential(key=f" {b}\n") if in_store else None
    environ = {"FIRST_KEY": " ", "SECOND_KEY": f"{c} "} if in_env else {}
    found = resolve_key(configured(f" {a} " if in_cfg else ""), stored, environ, VARIABLES)
    expected = (
        Key(a, KeySource.CONFIGURATION)
        if in_cfg
        else Key(b, KeySource.STORE)
        if in_store
        else Key(c, KeySource.ENVIRONMENT, "SECOND_KEY")
        if in_env
        else None
    )
    assert found == expected


def test_the_first_variable_that_is_set_counts() -> None:
    environ = {"FIRST_KEY": "1", "SECOND_KEY": "2", "THIRD_KEY": "3"}
    assert resolve_key(PLAIN, None, environ, VARIABLES) == Key("1", KeySource.ENVIRONMENT, "FIRST_KEY")
    renamed = configured(env=("THIRD_KEY",))
    assert resolve_key(renamed, None, environ, VARIABLES) == Key("3", KeySource.ENVIRONMENT, "THIRD_KEY")
    assert resolve_key(configured(env=()), None, environ, VARIABLES) is None


@pytest.mark.parametrize(("now_ms", "takes_oauth", "text"), [(99, True, "t"), (100, True, "e"), (99, False, "e")])
def test_a_login_counts_until_it_expires(now_ms: int, takes_oauth: bool, text: str) -> None:
    stored = OauthCredential(refresh="r", access="t", expires=100, account_id="org")
    found = resolve_key(PLAIN, stored, {"FIRST_KEY": "e"}, VARIABLES, now_ms=now_ms, takes_oauth=takes_oauth)
    assert found is not None
    assert (found.text, found.organization_id) == (text, "org" if text == "t" else "")


def test_a_token_for_a_variable_is_no_key_of_a_provider() -> None:
    assert resolve_key(PLAIN, WellKnownCredential(key="FIRST_KEY", token="t"), {}, VARIABLES) is None


def test_an_address_of_a_stranger_gets_only_what_is_spelled_out_for_it() -> None:
    foreign = configured(is_address_foreign=True)
    assert resolve_key(foreign, ApiCredential(key="k"), {"FIRST_KEY": "e"}, VARIABLES) is None
    assert resolve_key(configured("c", is_address_foreign=True), None, {}, VARIABLES)


@given(st.text(min_size=1))
def test_only_the_end_of_a_long_key_is_ever_shown(text: str) -> None:
    shown = masked(text)
    assert shown == (f"…{text[-4:]}" if len(text) >= 16 else "…")
    assert repr(Key("sk-canary-0123456789", KeySource.STORE)) == "Key('…6789', store)"
