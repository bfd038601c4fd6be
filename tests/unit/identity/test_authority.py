import socket
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.identity.authority import Authority, UrlRule, read_authority


def _host(text: str) -> str:
    found = read_authority(text)
    assert isinstance(found, Authority), found
    return found.host


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("llm.example.com", "llm.example.com"),
        ("LLM.Example.COM", "llm.example.com"),
        ("ollama", "ollama"),
        ("my_model.internal", "my_model.internal"),
        ("1.example", "1.example"),
        ("127.0.0.1.example", "127.0.0.1.example"),
        ("0x7f.example", "0x7f.example"),
        ("a.b0x1", "a.b0x1"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("straße.example", "xn--strae-oqa.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("8.8.8.8", "8.8.8.8"),
        ("[2606:4700::1111]", "2606:4700::1111"),
        ("a" * 63 + ".example", "a" * 63 + ".example"),
        (".".join(["a" * 63] * 3 + ["a" * 61]), ".".join(["a" * 63] * 3 + ["a" * 61])),
    ],
)
def test_hosts(text: str, host: str) -> None:
    assert _host(text) == host


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", UrlRule.HOST),
        (":443", UrlRule.HOST),
        ("u@x.example", UrlRule.CREDENTIALS),
        ("u:p@x.example", UrlRule.CREDENTIALS),
        ("x.example.", UrlRule.TRAILING_DOT),
        ("127.0.0.1.", UrlRule.TRAILING_DOT),
        (".", UrlRule.TRAILING_DOT),
        (".example", UrlRule.NAME),
        ("a..example", UrlRule.NAME),
        ("-a.example", UrlRule.NAME),
        ("a-.example", UrlRule.NAME),
        ("a b.example", UrlRule.NAME),
        ("a%2e.example", UrlRule.NAME),
        ("a*.example", UrlRule.NAME),
        ("a" * 64 + ".example", UrlRule.NAME),
        (".".join(["a" * 63] * 4), UrlRule.NAME),
        ("::1", UrlRule.NAME),
        ("[::1", UrlRule.NAME),
        ("[::1]x", UrlRule.NAME),
        ("a:b", UrlRule.NAME),
        ("a:1:2", UrlRule.NAME),
        ("a。example", UrlRule.NAME),  # a full stop to resolvers, not to parsers
        ("１２７.0.0.1", UrlRule.NAME),  # noqa: RUF001  (full-width digits)
        ("①②⑦.0.0.1", UrlRule.NAME),
        ("127.0.0.①", UrlRule.NAME),
        ("١٢٧.example", UrlRule.NAME),
        ("ex\u00adample", UrlRule.NAME),
        ("2130706433", UrlRule.SPELLING),
        ("0x7f000001", UrlRule.SPELLING),
        ("0X7F000001", UrlRule.SPELLING),
        ("0x", UrlRule.SPELLING),
        ("127.1", UrlRule.SPELLING),
        ("127.0.0.0x1", UrlRule.SPELLING),
        ("0x7f.1", UrlRule.SPELLING),
        ("0177.0.0.1", UrlRule.SPELLING),
        ("127.0.0.01", UrlRule.SPELLING),
        ("0", UrlRule.SPELLING),
        ("1.2.3.4.5", UrlRule.SPELLING),
        ("256.0.0.1", UrlRule.SPELLING),
        ("example.123", UrlRule.SPELLING),
        ("[]", UrlRule.SPELLING),
        ("[1.2.3.4]", UrlRule.SPELLING),
        ("[2606:4700:0::1111]", UrlRule.SPELLING),
        ("[2606:4700::ABCD]", UrlRule.SPELLING),
        ("[2606:4700::01]", UrlRule.SPELLING),
        ("[::ffff:8.8.8.8]x", UrlRule.NAME),
        ("[fe80::1%eth0]", UrlRule.SPELLING),
        ("a:0", UrlRule.PORT),
        ("a:0443", UrlRule.PORT),
        ("a:65536", UrlRule.PORT),
        ("a:999999", UrlRule.PORT),
    ],
)
def test_refused(text: str, rule: UrlRule) -> None:
    assert read_authority(text) is rule


def test_ports() -> None:
    assert read_authority("a:8443") == Authority("a", None, 8443)
    assert read_authority("a:") == read_authority("a") == Authority("a", None, None)
    assert read_authority("[::1]:65535") == Authority("::1", ip_address("::1"), 65_535)


def test_texts() -> None:
    assert Authority("a", None, None).text(443) == Authority("a", None, 443).text(443) == "a"
    assert Authority("a", None, 80).text(443) == "a:80"
    assert Authority("::1", ip_address("::1"), 80).text(443) == "[::1]:80"


@given(st.text(st.sampled_from("0123456789abcdefxX."), min_size=1, max_size=24))
def test_what_resolvers_read_as_an_address_is_no_name(text: str) -> None:
    found = read_authority(text)
    try:
        packed = socket.inet_aton(text)
    except OSError:
        packed = None
    if isinstance(found, Authority):
        assert packed == (found.address.packed if found.address else None)


@given(st.text(max_size=40) | st.text(st.sampled_from("aZ0.:[]-_xüß１@%/"), max_size=20))  # noqa: RUF001
def test_what_is_accepted_is_ascii_and_reads_the_same_again(text: str) -> None:
    found = read_authority(text)
    if isinstance(found, Authority):
        written = found.text(0)
        assert written.isascii()
        assert read_authority(written) == found
