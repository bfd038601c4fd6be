from typing import Any

import pytest

from tollway import __version__
from tollway.client.credentials import Credentials, OauthCredential
from tollway.client.endpoint import endpoint_of, request_head
from tollway.client.errors import ClientError
from unit.client.fakes import NOW_MS, gateways

KEY = "sk-fake-key"


def head_of(provider: str, environ: dict[str, str], options: dict[str, Any] | None = None, **more: Any) -> list[str]:
    tree = {"provider": {provider: {"options": options or {}}}}
    return endpoint_of(gateways(tree, environ)[provider], **more).list_head.decode().split("\r\n")


def test_a_chat_request_says_who_asks() -> None:
    upstream = endpoint_of(gateways({}, {"OPENROUTER_API_KEY": KEY})["openrouter"]).upstream
    assert upstream.head[0] == b"POST /api/v1/chat/completions"
    lines = upstream.head[1].decode().split("\r\n")
    assert lines[:2] == [" HTTP/1.1", "host: openrouter.ai"]
    assert {
        f"user-agent: tollway/{__version__}",
        "http-referer: https://github.com/tollway/tollway",
        "x-title: Tollway",
        f"authorization: Bearer {KEY}",
        "content-type: application/json",
    } <= set(lines)
    assert lines[-1] == ""


def test_a_list_that_is_not_public_is_asked_for_with_the_key() -> None:
    lines = head_of("apertis", {"APERTIS_API_KEY": KEY})
    assert lines[0] == "GET /v1/models HTTP/1.1"
    assert f"authorization: Bearer {KEY}" in lines
    assert not any("authorization" in line for line in head_of("apertis", {"APERTIS_API_KEY": KEY}, without_key=True))


def test_members_have_a_list_of_their_own() -> None:
    login = OauthCredential(
        refresh="r", access=KEY, expires=NOW_MS + 1, account_id="a/b", enterprise_url="https://t.example"
    )
    gateway = gateways(stored=Credentials({"tollway": login}))["tollway"]
    lines = endpoint_of(gateway).list_head.decode().split("\r\n")
    assert lines[0] == "GET /api/organizations/a%2Fb/models HTTP/1.1"
    assert "x-tollway-organizationid: a/b" in lines
    anonymous = endpoint_of(gateway, without_key=True).list_head.decode()
    assert anonymous.startswith("GET /api/gateway/models HTTP/1.1\r\n")
    assert "authorization" not in anonymous
    assert "organization" not in anonymous


def test_the_user_s_own_headers_come_last_and_frame_nothing() -> None:
    own = {"X-Title": "Mine", "X-More": "1", "Content-Length": "5", "Host": "evil.example", "Transfer-Encoding": "x"}
    lines = head_of("openai", {"OPENAI_API_KEY": KEY}, {"headers": own})
    assert {"x-title: Mine", "x-more: 1", "host: api.openai.com"} <= set(lines)
    assert not any(line.startswith(("content-length", "transfer-encoding")) for line in lines)


@pytest.mark.parametrize("header", [{"X: y\r\nZ": "1"}, {"X": "a\r\nZ: 1"}, {"X": "ü"}, {"": "1"}])
def test_headers_that_cannot_be_sent(header: dict[str, str]) -> None:
    with pytest.raises(ClientError, match="provider openai: the header"):
        head_of("openai", {"OPENAI_API_KEY": KEY}, {"headers": header})


@pytest.mark.parametrize("key", ["a\r\nX-Evil: 1", "schlüssel", "a\x00b"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_quoted(key: str) -> None:
    with pytest.raises(ClientError, match="OpenAI: the key has characters") as caught:
        head_of("openai", {"OPENAI_API_KEY": key})
    assert key not in str(caught.value)


def test_without_an_address_there_is_nowhere_to_call() -> None:
    with pytest.raises(ClientError, match="Tollway has no address: set TOLLWAY_API_URL"):
        endpoint_of(gateways()["tollway"])


def test_nothing_shows_the_key() -> None:
    assert KEY not in repr(endpoint_of(gateways({}, {"OPENAI_API_KEY": KEY})["openai"]))


def test_a_question_to_the_account_routes() -> None:
    gateway = gateways()["tollway"]
    upstream, head = request_head(gateway, "https://t.example:8443", "POST", "/api/x", "")
    assert (upstream.origin.host, upstream.origin.port) == ("t.example", 8443)
    lines = head.decode().split("\r\n")
    assert lines[:2] == ["POST /api/x HTTP/1.1", "host: t.example:8443"]
    assert "content-length: 0" in lines
    assert b"authorization: Bearer t\r\n" in request_head(gateway, "https://t.example", "GET", "/", "t")[1]
    with pytest.raises(ClientError, match="gave a token that no header can carry"):
        request_head(gateway, "https://t.example", "GET", "/", "a\r\nb")
