import pytest

from tollway.providers.own_keys import AwsCredentials, OwnKeyError, last_four, read_own_key

CANARY = "canary-0123456789"


def test_most_keys_are_texts() -> None:
    assert read_own_key("anthropic", CANARY).secret == CANARY
    assert read_own_key("anthropic", "{}").secret == "{}"


def test_the_one_that_is_an_object() -> None:
    key = read_own_key("bedrock", '{"accessKeyId":"A","secretAccessKey":"S","region":"us-east-1"}')
    assert key.secret == AwsCredentials("A", "S", "us-east-1")


@pytest.mark.parametrize(
    ("provider", "text"),
    [
        ("anthropic", ""),
        ("bedrock", CANARY),
        ("bedrock", f'"{CANARY}"'),
        ("bedrock", "null"),
        ("bedrock", f'{{"accessKeyId":"{CANARY}"}}'),
        ("bedrock", f'{{"accessKeyId":"A","secretAccessKey":"{CANARY}","region":5}}'),
        ("bedrock", f'{{"accessKeyId":"A","secretAccessKey":"S","region":"r","{CANARY}":1}}'),
    ],
)
def test_what_is_no_key(provider: str, text: str) -> None:
    with pytest.raises(OwnKeyError, match=provider) as caught:
        read_own_key(provider, text)
    assert CANARY not in str(caught.value)


def test_no_description_shows_the_secret() -> None:
    aws = read_own_key("bedrock", f'{{"accessKeyId":"A","secretAccessKey":"{CANARY}","region":"r"}}')
    for shown in (read_own_key("anthropic", CANARY), aws, aws.secret):
        assert CANARY not in repr(shown) + str(shown)


@pytest.mark.parametrize(
    ("provider", "text", "shown"),
    [
        ("anthropic", "sk-0123456789abc", "9abc"),
        ("anthropic", "sk-0123456789ab", ""),
        ("bedrock", '{"accessKeyId":"AKIA0123456789WXYZ","secretAccessKey":"S","region":"r"}', "WXYZ"),
        ("bedrock", f'{{"accessKeyId":"A","secretAccessKey":"{CANARY}","region":"r"}}', ""),
    ],
)
def test_what_may_be_shown_of_a_key(provider: str, text: str, shown: str) -> None:
    assert last_four(read_own_key(provider, text)) == shown
