from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from tollway.catalog.preset import Identity, Preset
from tollway.providers import registry
from tollway.providers.openai import PROVIDER as OPENAI
from tollway.providers.openrouter import PROVIDER as OPENROUTER
from tollway.providers.provider import Provider
from tollway.providers.registry import Upstream, configured, load_providers, webhook
from tollway.settings import SettingsError, load, parse

CANARY = "sk-canary-0123456789"


def upstream(base_url: str = "https://api.example.com/v1", kind: str = "compatible", **more: Any) -> Upstream:
    return configured(parse({"providers": {"one": {"kind": kind, "base_url": base_url, **more}}}))["one"]


def test_the_built_in_records() -> None:
    records = load_providers()
    assert {"openrouter", "openai", "compatible"} <= set(records)
    assert all(record.id == id_ and record.source.startswith("https://") for id_, record in records.items())


@pytest.mark.parametrize(
    ("id_", "variable", "base_url", "can_be_asked_later"),
    [
        ("openrouter", "OPENROUTER_API_KEY", "https://openrouter.ai/api/v1", True),
        ("vercel", "VERCEL_AI_GATEWAY_API_KEY", "https://ai-gateway.vercel.sh/v1", True),
        ("mistral", "MISTRAL_API_KEY", "https://api.mistral.ai/v1", False),
        ("martian", "MARTIAN_API_KEY", "https://api.withmartian.com/v1", False),
        ("corethink", "CORETHINK_API_KEY", "https://api.corethink.ai/v1/code", False),
        ("gigapotato", "GIGAPOTATO_API_KEY", "https://potato.example/v3", False),
        ("fastrouter", "FASTROUTER_API_KEY", "https://go.fastrouter.ai/api/v1", False),
        ("apertis", "APERTIS_API_KEY", "https://api.apertis.ai/v1", False),
    ],
)
def test_the_providers_of_the_page(id_: str, variable: str, base_url: str, can_be_asked_later: bool) -> None:
    """request-path 8.6: one environment variable each, and the address of the one that has none."""
    environ = {variable: CANARY, "GIGAPOTATO_API_URL": "https://potato.example/v3", "TOLLWAY_CONFIG": "/dev/null"}
    (one,) = configured(load(environ=environ)).values()
    host, _, path = base_url.removeprefix("https://").partition("/")
    assert (one.id, one.provider.id, one.origin.host) == (id_, id_, host)
    assert one.head[0] == f"POST /{path}/chat/completions".encode()
    assert f"\r\nAuthorization: Bearer {CANARY}\r\n".encode() in one.head[1]
    assert (one.lookup_head is not None) is can_be_asked_later


@pytest.mark.parametrize("record", [one for one in load_providers().values() if one.needs_key], ids=lambda one: one.id)
def test_without_a_key_or_address_it_is_unavailable(record: Provider) -> None:
    """Never a request with an empty bearer token."""
    for section in ({}, {"api_key": ""}, {"base_url": "https://a.example"}):
        assert configured(parse({"providers": {record.id: section}})) == {}
    keyed = configured(parse({"providers": {record.id: {"api_key": CANARY}}}))
    assert set(keyed) == ({record.id} if record.base_url else set())


def test_two_packages_of_one_id_refuse_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("openai", "tollway.providers.openai:PROVIDER", registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point, point])
    with pytest.raises(SettingsError, match=r"providers\.openai: two installed packages"):
        load_providers.__wrapped__()


def test_nothing_is_configured_by_itself() -> None:
    assert configured(parse({})) == {}


def test_a_provider_by_its_own_name() -> None:
    one = configured(parse({"providers": {"openai": {"api_key": CANARY}}}))["openai"]
    assert (one.provider, one.origin.host, one.origin.port) == (OPENAI, "api.openai.com", 443)
    before, after = one.head
    assert before == b"POST /v1/chat/completions"
    assert after.startswith(b" HTTP/1.1\r\nHost: api.openai.com\r\n")
    assert f"\r\nAuthorization: Bearer {CANARY}\r\n".encode() in after
    assert after.endswith(b"\r\n")
    assert b"\r\n\r\n" not in after


@pytest.mark.parametrize("base_url", ["https://api.example.com/v1/", "http://API.example.com:8080"])
def test_the_address_keeps_its_spelling(base_url: str) -> None:
    """Hashes of users are made of it."""
    assert upstream(base_url).base_url == base_url
    assert configured(parse({"providers": {"openai": {"api_key": "sk-x"}}}))["openai"].base_url == OPENAI.base_url


def test_the_key_is_in_no_description() -> None:
    assert CANARY not in repr(upstream(api_key=CANARY))
    assert CANARY not in str(upstream(api_key=CANARY))


def test_without_a_key_there_is_no_authorization() -> None:
    assert b"uthorization" not in upstream().head[1]


def test_a_key_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{CANARY}\n")
    assert f"Bearer {CANARY}\r\n".encode() in upstream(api_key_file=tmp_path / "key").head[1]
    with pytest.raises(SettingsError, match=r"providers\.one\.api_key_file: the file cannot be read"):
        upstream(api_key_file=tmp_path / "none")


@pytest.mark.parametrize("key", ["a\r\nX-Evil: 1", "a\nb", "a\tb", "ä", "a\0", "a\x7f"])
def test_a_key_that_would_break_out_of_its_header(key: str) -> None:
    with pytest.raises(SettingsError, match=r"^providers\.one\.api_key: must be printable ASCII$"):
        upstream(api_key=key)


@pytest.mark.parametrize("name", ["http_referer", "x_title"])
def test_a_title_that_would_break_out_of_its_header(name: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name}: must be printable ASCII$"):
        configured(parse({"providers": {"openrouter": {"api_key": CANARY}}, name: "x\r\nX-Evil: 1"}))


def test_only_who_wants_it_learns_the_application() -> None:
    settings = parse({"providers": {"openrouter": {"api_key": CANARY}}, "x_title": "Mine"})
    head = configured(settings)["openrouter"].head[1]
    assert b"\r\nX-Title: Mine\r\n" in head
    assert b"\r\nHTTP-Referer: https://" in head
    assert b"X-Title" not in upstream().head[1]


@pytest.mark.parametrize(
    ("given", "title"), [({}, b"Theirs"), ({"x_title": "Mine"}, b"Mine"), ({"x_title": "Tollway"}, b"Tollway")]
)
def test_the_operators_title_counts_then_the_presets(given: dict[str, str], title: bytes) -> None:
    settings = parse({"providers": {"openrouter": {"api_key": CANARY}}, **given})
    preset = Preset(identity=Identity(x_title="Theirs"))
    assert b"\r\nX-Title: %b\r\n" % title in configured(settings, preset=preset)["openrouter"].head[1]
    assert b"\r\nHTTP-Referer: https://github.com/" in configured(settings, preset=preset)["openrouter"].head[1]


def test_facts_may_be_overridden() -> None:
    assert upstream(reports_cost=True).provider.reports_cost
    assert not upstream().provider.reports_cost
    changed = {"api_key": CANARY, "reports_cost": False, "stops_billing_on_abort": True}
    one = configured(parse({"providers": {"openrouter": changed}}))
    assert one["openrouter"].provider == replace(OPENROUTER, reports_cost=False, stops_billing_on_abort=True)


@pytest.mark.parametrize(
    ("base_url", "host", "port", "authority", "path"),
    [
        ("https://a.example", "a.example", 443, "a.example", "/chat/completions"),
        ("https://a.example/", "a.example", 443, "a.example", "/chat/completions"),
        ("https://A.Example/V1/", "a.example", 443, "a.example", "/V1/chat/completions"),
        ("https://a.example:443/v1", "a.example", 443, "a.example", "/v1/chat/completions"),
        ("https://a.example:80/v1", "a.example", 80, "a.example:80", "/v1/chat/completions"),
        ("http://a.example/v1", "a.example", 80, "a.example", "/v1/chat/completions"),
        ("http://127.0.0.1:8000/v1", "127.0.0.1", 8000, "127.0.0.1:8000", "/v1/chat/completions"),
        ("http://[::1]:8000/v1", "::1", 8000, "[::1]:8000", "/v1/chat/completions"),
    ],
)
def test_addresses(base_url: str, host: str, port: int, authority: str, path: str) -> None:
    one = upstream(base_url)
    assert (one.origin.host, one.origin.port, one.origin.authority) == (host, port, authority)
    assert one.head[0] == f"POST {path}".encode()
    assert f"Host: {authority}\r\n".encode() in one.head[1]


@pytest.mark.parametrize(
    "base_url",
    [
        "ftp://a.example",
        "a.example/v1",
        "//a.example/v1",
        "https://",
        "https:///v1",
        "https://user@a.example/v1",
        "https://user:password@a.example/v1",
        "https://:password@a.example/v1",
        "https://@a.example/v1",
        "https://a.example/v1?x=1",
        "https://a.example/v1#x",
        "https://a.example:x/v1",
        "https://a.example:99999/v1",
        "https://a.example:-1/v1",
        "https://a.example /v1",
        "https://a .example/v1",
        "https://a.example/v 1",
        "https://ä.example/v1",
        "https://a.example/ä",
        "https://a.example/\x7f",
        "https://[::1/v1",
    ],
)
def test_addresses_that_are_refused(base_url: str) -> None:
    with pytest.raises(SettingsError, match=r"^providers\.one\.base_url: ") as caught:
        upstream(base_url)
    assert "password" not in str(caught.value)


def test_an_address_must_be_given_where_the_record_has_none() -> None:
    with pytest.raises(SettingsError, match=r"providers\.compatible\.base_url: must be set"):
        configured(parse({"providers": {"compatible": {}}}))


def test_an_unknown_kind() -> None:
    with pytest.raises(SettingsError, match=r"providers\.one\.kind: must be one of .*openrouter"):
        upstream(kind="nobody")


def test_who_can_be_asked_about_an_answer_afterwards() -> None:
    assert upstream(api_key=CANARY).lookup_head is None
    assert upstream(kind="openrouter", api_key=CANARY, generation_lookup=False).lookup_head is None
    asked = upstream("https://api.example.com/v1/", api_key=CANARY, generation_lookup=True)
    assert asked.lookup_head
    before, after = asked.lookup_head
    assert before == b"GET /v1/generation?id="
    assert after == asked.head[1]  # key and all, up to the last header
    (openrouter,) = configured(parse({"providers": {"openrouter": {"api_key": CANARY}}})).values()
    assert openrouter.lookup_head
    assert openrouter.lookup_head[0] == b"GET /api/v1/generation?id="


def test_the_webhook_of_notices() -> None:
    assert webhook(parse({})) is None
    found = webhook(parse({"notices": {"url": "https://hooks.example.com/money/", "token": "t0ken"}}))
    assert found
    assert found.head[0] == b"POST /money"
    assert b"\r\nHost: hooks.example.com\r\n" in found.head[1]
    assert b"\r\nAuthorization: Bearer t0ken\r\n" in found.head[1]
    bare = webhook(parse({"notices": {"url": "http://127.0.0.1:8"}}))
    assert bare
    assert bare.head[0] == b"POST /"
    with pytest.raises(SettingsError, match=r"notices\.url"):
        webhook(parse({"notices": {"url": "ftp://x"}}))
    with pytest.raises(SettingsError, match=r"notices\.token"):
        webhook(parse({"notices": {"url": "http://x", "token": "two\nlines"}}))
