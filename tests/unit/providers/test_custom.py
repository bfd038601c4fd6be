"""What is sent to custom upstreams."""

from hypothesis import given
from hypothesis import strategies as st

from tollway.providers.custom import NOT_SENT, PROVIDER, custom_upstream, shape
from tollway.providers.registry import Origin

bodies = st.dictionaries(st.sampled_from([*sorted(NOT_SENT), "stream_options", "model", "tools"]), st.integers())


@given(bodies, st.booleans())
def test_only_what_such_servers_misread_is_gone(body: dict[str, int], stream: bool) -> None:
    shaped = shape(body, stream=stream)
    gone = NOT_SENT if stream else NOT_SENT | {"stream_options"}
    assert shaped == {name: value for name, value in body.items() if name not in gone}
    assert shape(shaped, stream=stream) is shaped


def test_whoever_pays_there_is_not_us() -> None:
    assert not PROVIDER.reports_cost
    assert not PROVIDER.generation_lookup
    assert not PROVIDER.identifies_application


def test_headers_come_after_ours() -> None:
    origin = Origin("https", "x.example", 8443)
    made = custom_upstream("https://x.example:8443", origin, "", "k", {"A": "1", "B": ""})
    assert made.head[0] == b"POST /chat/completions"
    assert made.head[1].endswith(b"Authorization: Bearer k\r\nA: 1\r\nB: \r\n")
    assert made.lookup_head is None


def test_a_header_of_the_owners_stands_in_for_ours() -> None:
    origin = Origin("https", "x.example", 443)
    rest = custom_upstream("https://x.example", origin, "", "k", {"user-agent": "theirs"}).head[1]
    assert rest.lower().count(b"user-agent:") == 1
    assert rest.startswith(b" HTTP/1.1\r\nHost: x.example\r\n")
    assert rest.endswith(b"user-agent: theirs\r\n")
