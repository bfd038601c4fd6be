import pytest

from tollway.billing.particulars import Origin, decode_origin
from tollway.catalog.preset import Preset
from tollway.gateway import origins as module
from tollway.gateway.context import Contexts
from tollway.gateway.origins import Manner, Origins
from tollway.limits.addresses import origin_name

SECRET = b"secret"
EDGE = {
    b"x-forwarded-for": b"203.0.113.5",
    b"x-vercel-ip-city": b"Berlin",
    b"x-vercel-ip-country": b"DE",
    b"x-vercel-ip-latitude": b"52.5",
    b"x-vercel-ip-longitude": b"abc",
    b"x-vercel-ja4-digest": b"t13d",
}
SAID = {
    b"user-agent": b"UA/1",
    b"x-kilocode-mode": b"code",
    b"x-tollway-editorname": b"vim",
    b"x-kilocode-machineid": b"m1",
    b"x-kilocode-feature": b"CLI",
}
CONTEXTS = Contexts(Preset(features=("cli",), feature_if_absent="direct"))


def of(
    headers: dict[bytes, bytes],
    proxied: str | None = None,
    origins: Origins | None = None,
    path: str = "",
    manner: Manner = (None, False, False),
) -> Origin:
    made = origins or Origins(SECRET)
    return decode_origin(made.of(headers, CONTEXTS.read(headers, path), proxied, manner))


def test_only_what_the_client_says_of_itself_counts_without_a_proxy() -> None:
    assert of({**EDGE, **SAID}) == Origin("cli", "code", "vim", "m1", "UA/1")
    assert of({**EDGE, b"user-agent": b"UA/1"}) == Origin("direct", user_agent="UA/1")
    assert of({}) == Origin("direct")


def test_a_trusted_proxy_says_where_it_comes_from() -> None:
    """The address as a keyed hash only; what is no number is none."""
    found = of({**EDGE, **SAID}, "203.0.113.5")
    name = origin_name(SECRET, "203.0.113.5")
    assert found == Origin("cli", "code", "vim", "m1", "UA/1", name, "DE", "Berlin", 52.5, None, "t13d")
    assert len(name) == 32
    assert of(SAID, "203.0.113.5").address_hash is None


def test_what_can_be_told_apart_is_never_mixed_up() -> None:
    """Whatever was asked before: the same origins, in any order, from one memory and from a fresh one."""
    cases = [
        ({}, None, ""),
        ({}, None, "/api/openrouter/x"),
        ({b"user-agent": b"a"}, None, ""),
        ({b"user-agent": b"b"}, None, ""),
        ({b"x-kilocode-mode": b"a"}, None, ""),
        ({b"x-tollway-mode": b"b"}, None, ""),
        ({b"x-kilocode-editorname": b"a"}, None, ""),
        ({b"x-kilocode-machineid": b"a"}, None, ""),
        ({b"x-kilocode-feature": b"cli"}, None, ""),
        ({b"x-kilocode-projectid": b"a"}, None, ""),
        (EDGE, "203.0.113.5", ""),
        (EDGE, "203.0.113.6", ""),
        ({**EDGE, b"x-vercel-ip-city": b"Rome"}, "203.0.113.5", ""),
        ({**EDGE, b"x-vercel-ip-country": b"IT"}, "203.0.113.5", ""),
        ({**EDGE, b"x-vercel-ip-latitude": b"1"}, "203.0.113.5", ""),
        ({**EDGE, b"x-vercel-ip-longitude": b"1"}, "203.0.113.5", ""),
        ({**EDGE, b"x-vercel-ja4-digest": b"x"}, "203.0.113.5", ""),
    ]
    fresh = [of(headers, proxied, path=path) for headers, proxied, path in cases]
    assert len(set(map(repr, fresh))) == len(cases)
    kept = Origins(SECRET)
    for _ in range(2):
        assert [of(headers, proxied, kept, path) for headers, proxied, path in cases] == fresh
        assert [of(headers, proxied, kept, path) for headers, proxied, path in reversed(cases)] == fresh[::-1]


def test_how_they_ask_is_a_part_of_it() -> None:
    kept = Origins(SECRET)
    manners: list[Manner] = [(None, False, False), ("auto", False, False), (None, True, False), (None, False, True)]
    found = [of({}, None, kept, manner=manner) for manner in manners]
    assert [(one.auto_model, one.has_tools, one.has_middle_out) for one in found] == manners


def test_what_is_kept_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ORIGINS_KEPT", 3)
    kept = Origins(SECRET)
    for number in range(10):
        agent = b"UA/%d" % number
        assert of({b"user-agent": agent}, None, kept).user_agent == agent.decode()
        assert len(kept._kept) <= 3
