import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.identity.keys import make_key
from tollway.observability.redact import MASK, redact, redact_fields

BASE62 = string.ascii_letters + string.digits
SECRET = "S3cr3tCanaryValue0123456789abcdef"
KEYS = (
    make_key("k" * 30),
    f"sk-{SECRET}",
    f"sk-proj-{SECRET}",
    f"sk-or-v1-{SECRET}",
    f"sk_live_{SECRET}",
    f"pk-{SECRET}",
    f"gsk_{SECRET}",
    f"xai-{SECRET}",
    f"hf_{SECRET}",
    f"ghp_{SECRET}",
    f"github_pat_{SECRET}",
    f"AIza{SECRET}",
    f"AKIA{SECRET}",
    f"eyJhbGciOiJIUzI1NiJ9.eyJ{SECRET}.{SECRET}",
    f"eyJhbGciOiJIUzI1NiJ9.eyJ{SECRET}",
)


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key[:8])
@pytest.mark.parametrize(
    "around",
    ["{}", "key={}", "'{}'", '{{"k":"{}"}}', "({})", "a {} b", "%20{}%0A", "%3D{}", "\n{}\n", "k:{},", "x/{}/y"],
)
def test_keys_are_masked_wherever_they_stand(key: str, around: str) -> None:
    shown = redact(around.format(key))
    assert MASK in shown
    assert SECRET not in shown
    assert key[-12:] not in shown


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {SECRET}",
        f"authorization: {SECRET}",
        f"AUTHORIZATION=Basic {SECRET}",
        f'{{"Authorization": "Bearer {SECRET}"}}',
        f"{{'authorization': 'Token {SECRET}'}}",
        f"Bearer {SECRET}",
        f"bearer   {SECRET}",
        f"Bearer%20{SECRET}",
        f"Bearer+{SECRET}",
        f"basic {SECRET}==",
        f"x-api-key: {SECRET}",
        f"api_key={SECRET}",
        f'"apiKey": "{SECRET}"',
        f"Cookie: a=b; session={SECRET}; c=d",
        f"set-cookie: session={SECRET}; HttpOnly",
        f"https://{SECRET}@host/path",
        f"https://user:{SECRET}@host/path",
        f"postgresql://user:a@{SECRET}@host:5432/db",
        f"https://host/path?key={SECRET}",
        f"https://host/path?a=b&access_token={SECRET}#end",
        f"/path?x[y]={SECRET}&z=1",
    ],
)
def test_named_secrets_are_masked(text: str) -> None:
    assert SECRET not in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "an ordinary sentence, with punctuation: and numbers 123.",
        "The model `sim/story` does not exist.",
        "risk-management and task-orientation",
        "https://host:8080/path/to/page",
        "mail ada@example.com",
        "00000198f2c5d2a1b3c4d5e6f7a8b9c0",
        "0b9d6c5e-4f3a-4c2b-9d1e-8f7a6b5c4d3e",
        "upstream answered 503",
    ],
)
def test_the_rest_stays(text: str) -> None:
    assert redact(text) == text


def test_one_can_tell_what_it_was() -> None:
    assert redact(f"key {make_key('k' * 30)}!") == f"key tw_live_{MASK}!"
    assert redact(f"Authorization: Bearer {SECRET}") == f"Authorization: Bearer {MASK}"
    assert redact(f"https://u:{SECRET}@host/p?key={SECRET}&b") == f"https://{MASK}@host/p?key={MASK}&b"


@given(
    st.text(alphabet=BASE62, min_size=30, max_size=30),
    st.text(max_size=20),
    st.text(alphabet=" \n\"',;:=([{", min_size=1, max_size=1),
)
def test_no_key_of_ours_survives(random_text: str, before: str, border: str) -> None:
    key = make_key(random_text)
    assert random_text not in redact(before + border + key)
    assert random_text not in redact(before + key)  # even glued to a word


@given(
    st.lists(
        st.sampled_from([*KEYS, "Bearer ", "authorization: ", "://", "@", "?a=", "cookie=", "eyJ", "tw_", " ", "x"]),
        max_size=8,
    )
)
def test_redacting_twice_changes_nothing_more(parts: list[str]) -> None:
    once = redact(" ".join(parts))
    assert SECRET not in once
    assert redact(once) == once


FIELDS = ("apiKey", "API_KEY", "Authorization", "secretAccessKey", "accesskeyid", "sessionToken")
PLAIN = st.one_of(st.none(), st.integers(), st.text(max_size=5))
SECRETS = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text(max_size=3), inner, max_size=3),
        st.dictionaries(st.sampled_from(FIELDS), st.just(SECRET), min_size=1),
        st.dictionaries(st.sampled_from(FIELDS), st.just({"parts": [SECRET]}), min_size=1),
    ),
)


@given(SECRETS)
def test_no_secret_field_survives_at_any_depth(tree: object) -> None:
    masked = redact_fields(tree)
    assert SECRET not in str(masked)
    assert redact_fields(masked) == masked


@given(st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner)))
def test_other_fields_stay_as_they_are(tree: object) -> None:
    assert redact_fields(tree) == tree
