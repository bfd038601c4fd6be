from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.identity.authority import UrlRule
from tollway.identity.base_url import BaseUrl, read_base_url
from tollway.identity.outbound import OutboundRules, endpoints_of

PLAIN = OutboundRules()
_LISTED = endpoints_of(["http://10.0.0.8:8000", "http://10.0.0.9:80", "ollama:11434", "http://169.254.169.254:80"])
assert isinstance(_LISTED, dict)
OPEN = OutboundRules(ports=frozenset({8443}), endpoints=_LISTED)
URLS = st.text(st.sampled_from("https:/.@?#[]\\ ax019-ü%\t\n"), max_size=40).map(lambda text: f"https://{text}")


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("https://llm.example.com", "https://llm.example.com"),
        ("https://llm.example.com///", "https://llm.example.com"),
        ("HTTPS://LLM.example.com:443/V1/", "https://llm.example.com/V1"),
        ("https://llm.example.com:/v1", "https://llm.example.com/v1"),
        ("https://llm.example.com/a/../b;c=1/%2e", "https://llm.example.com/a/../b;c=1/%2e"),
        ("https://bücher.example/v1", "https://xn--bcher-kva.example/v1"),
        ("https://8.8.8.8/v1", "https://8.8.8.8/v1"),
        ("https://[2606:4700::1111]:443/v1", "https://[2606:4700::1111]/v1"),
        ("https://x.example/" + "a" * 2_030, "https://x.example/" + "a" * 2_030),
    ],
)
def test_accepted(text: str, stored: str) -> None:
    found = read_base_url(text, PLAIN)
    assert isinstance(found, BaseUrl)
    assert found.text == stored


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("https://x.example/" + "a" * 2_031, UrlRule.LENGTH),
        ("https://x.example/\n", UrlRule.CHARACTERS),
        (" https://x.example", UrlRule.CHARACTERS),
        ("https://x.exam\tple", UrlRule.CHARACTERS),
        ("https://x.example/\x7f", UrlRule.CHARACTERS),
        ("https://x.example/\u2028", UrlRule.CHARACTERS),
        ("https://x.example\\@y.example/", UrlRule.CHARACTERS),
        ("", UrlRule.SCHEME),
        ("x.example", UrlRule.SCHEME),
        ("https:x.example", UrlRule.SCHEME),
        ("https:/x.example", UrlRule.SCHEME),
        ("//x.example", UrlRule.SCHEME),
        ("file:///etc/passwd", UrlRule.SCHEME),
        ("https+unix://x", UrlRule.SCHEME),
        ("http://x.example", UrlRule.PLAIN_HTTP),
        ("https://x.example?", UrlRule.QUERY),
        ("https://x.example/#", UrlRule.QUERY),
        ("https://x.example#@y.example", UrlRule.QUERY),
        ("https://x.example/ü", UrlRule.PATH),
        ("https://@x.example", UrlRule.CREDENTIALS),
        ("https://:80", UrlRule.HOST),
        ("https://x.example:80", UrlRule.PORT),
        ("https://x.example:8443", UrlRule.PORT),
        ("https://localhost.", UrlRule.TRAILING_DOT),
        ("https://10.1.2.3", UrlRule.NOT_PUBLIC),
        ("https://[::1]", UrlRule.NOT_PUBLIC),
        ("https://[fd00:ec2::254]", UrlRule.NOT_PUBLIC),
    ],
)
def test_refused(text: str, rule: UrlRule) -> None:
    assert read_base_url(text, PLAIN) is rule


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://10.0.0.8:8000/v1/", "http://10.0.0.8:8000/v1"),
        ("https://10.0.0.8:8000/v1", "https://10.0.0.8:8000/v1"),
        ("http://10.0.0.9/v1", "http://10.0.0.9/v1"),
        ("http://10.0.0.9:80/v1", "http://10.0.0.9/v1"),
        ("https://OLLAMA:11434", "https://ollama:11434"),
        ("https://x.example:8443", "https://x.example:8443"),
        ("http://ollama:11434", UrlRule.PLAIN_HTTP),
        ("http://x.example:8443", UrlRule.PLAIN_HTTP),
        ("http://10.0.0.8:8001", UrlRule.PLAIN_HTTP),
        ("https://10.0.0.8:8001", UrlRule.PORT),
        ("https://10.0.0.8", UrlRule.NOT_PUBLIC),
        ("https://10.0.0.8:8443", UrlRule.NOT_PUBLIC),
        ("http://169.254.169.254/", UrlRule.NOT_PUBLIC),
    ],
)
def test_what_the_operator_opens(text: str, expected: str) -> None:
    found = read_base_url(text, OPEN)
    assert (found.text if isinstance(found, BaseUrl) else found) == expected


@given(URLS | st.text(max_size=60))
def test_what_is_stored_reads_the_same_again_and_to_others(text: str) -> None:
    found = read_base_url(text, OPEN)
    if isinstance(found, BaseUrl):
        assert read_base_url(found.text, OPEN) == found
        assert not found.text.endswith("/")
        parts = urlsplit(found.text)
        assert (parts.scheme, parts.hostname, parts.path) == (found.scheme, found.host, found.path)
        assert parts.port in (None, found.port)
        assert [parts.username, parts.query, parts.fragment] == [None, "", ""]
