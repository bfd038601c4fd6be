from collections.abc import Callable
from decimal import Decimal
from ipaddress import ip_network
from pathlib import Path

import pytest

from tollway.kept_secret import secret_text
from tollway.settings import CLIENT_VARIABLES, Settings, SettingsError, load, parse

SECRET = "hunter2-do-not-print-" + "x" * 16


def _refusal(tree: dict[str, object]) -> str:
    with pytest.raises(SettingsError) as caught:
        parse(tree)
    line = str(caught.value)
    assert SECRET not in line
    assert "\n" not in line
    return line


def test_defaults_need_nothing() -> None:
    assert load(environ={}) == Settings()


@pytest.mark.parametrize(
    ("tree", "start"),
    [
        ({"colour": SECRET}, "colour: is not a setting"),
        ({"limits": {"colour": 1}}, "limits.colour: is not a setting"),
        ({"workers": SECRET}, "workers: "),
        ({"workers": 0}, "workers: "),
        ({"limits": SECRET}, "limits: "),
        ({"hold_policy": SECRET}, "hold_policy: "),
        ({"listen": SECRET}, "listen: "),
        ({"trusted_proxies": [SECRET]}, "trusted_proxies: "),
        ({"trusted_proxies": ["10.0.0.0/8", "10.0.0.5/8"]}, "trusted_proxies: "),
        ({"trusted_proxies": ["10.0.0.0/33"]}, "trusted_proxies: "),
        ({"trusted_proxies": [10]}, "trusted_proxies: "),
        ({"trusted_proxies": 10}, "trusted_proxies: "),
        ({"request_log": {"email_suffixes": ["acme.test"]}}, "request_log.email_suffixes: "),
        ({"request_log": {"email_suffixes": ["@"]}}, "request_log.email_suffixes: "),
        ({"request_log": {"organizations": [""]}}, "request_log.organizations: "),
        ({"prompt_prefix_organizations": [""]}, "prompt_prefix_organizations: "),
        ({"client_ip_header": SECRET + ":"}, "client_ip_header: "),
        ({"client_ip_header": "x_real_ip"}, "client_ip_header: "),
        ({"rate_limit_ipv6_prefix": 0}, "rate_limit_ipv6_prefix: "),
        ({"listen": ":80"}, "listen: "),
        ({"listen": "a:70000"}, "listen: "),
        ({"database_url": SECRET}, "database_url: "),
        ({"timeouts": {"headers_s": 0}}, "timeouts.headers_s: "),
        ({"models": [{"id": "a/b"}]}, "models.0."),
        ({"providers": {"x": {"api_key": [SECRET]}}}, "providers.x.api_key: "),
    ],
)
def test_refusals_name_the_setting_and_never_its_value(tree: dict[str, object], start: str) -> None:
    assert _refusal(tree).startswith(start)


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "tollway.toml"
    file.write_text('workers = 2\n[limits]\nin_flight = 5\nconnections = 7\n[providers.openai]\nkind = "compatible"')
    settings = load(
        environ={
            "TOLLWAY_CONFIG": str(file),
            "TOLLWAY_WORKERS": "3",
            "TOLLWAY_LIMITS__IN_FLIGHT": "6",
            "OPENAI_API_KEY": SECRET,
            "OTHER": "x",
        }
    )
    assert (settings.workers, settings.limits.in_flight, settings.limits.connections) == (3, 6, 7)
    assert settings.providers["openai"].kind == "compatible"
    assert SECRET not in repr(settings) + str(settings.model_dump())
    key = settings.providers["openai"].api_key
    assert key
    assert key.get_secret_value() == SECRET


def test_networks_come_from_the_file_or_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "tollway.toml"
    file.write_text('trusted_proxies = ["10.0.0.0/8", "fd00::/8", "192.0.2.7", "::ffff:192.0.2.0/120"]')
    networks = tuple(ip_network(one) for one in ("10.0.0.0/8", "fd00::/8", "192.0.2.7/32", "192.0.2.0/24"))
    assert load(file, environ={}).trusted_proxies == networks
    assert load(file, environ={"TOLLWAY_TRUSTED_PROXIES": "10.0.0.0/8, fd00::/8,"}).trusted_proxies == networks[:2]
    assert load(file, environ={"TOLLWAY_TRUSTED_PROXIES": ""}).trusted_proxies == ()


def test_prices_are_exact(tmp_path: Path) -> None:
    file = tmp_path / "tollway.toml"
    file.write_text(
        '[[models]]\nid = "a/b"\nprovider = "x"\nprompt_usd_per_million = 0.1\ncompletion_usd_per_million = "0.3"'
    )
    (model,) = load(file, environ={}).models
    assert (model.prompt_usd_per_million, model.completion_usd_per_million) == (Decimal("0.1"), Decimal("0.3"))


@pytest.mark.parametrize("environ", [{"TOLLWAY_COLOUR": SECRET}, {"TOLLWAY_WORKERS__X": SECRET}])
def test_bad_names_in_the_environment(environ: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=r"^(colour|workers): "):
        load(environ=environ)


def test_what_the_client_s_commands_read_is_no_setting() -> None:
    """A developer's machine may have both: a gateway starts beside the variables of `tollway auth`."""
    assert load(Path("/dev/null"), dict.fromkeys(CLIENT_VARIABLES, "x")) == load(Path("/dev/null"), {})


def test_a_name_below_a_value_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "tollway.toml"
    file.write_text("workers = 2")
    with pytest.raises(SettingsError, match=r"^workers\.x: is not a setting$"):
        load(file, environ={"TOLLWAY_WORKERS__X": "1"})


@pytest.mark.parametrize("content", [b"workers =", b"\xff\xfe", b"a = 1\na = 2", None])
def test_files_that_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "tollway.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        load(file, environ={})
    assert str(caught.value).startswith(f"{file}: ")


def test_addresses() -> None:
    settings = parse({"listen": "[::1]:80"})
    assert (settings.host, settings.port) == ("::1", 80)
    assert (Settings().host, Settings().port) == ("127.0.0.1", 8788)


KEPT = [
    ("key-pepper", Settings.pepper),
    ("user-hash-secret", Settings.hash_secret),
    ("anon-id-key", Settings.anonymous_key),
]


@pytest.mark.parametrize(("name", "secret_of"), KEPT)
def test_a_secret_that_is_not_set_is_made_once_and_kept(
    tmp_path: Path, name: str, secret_of: Callable[[Settings], bytes]
) -> None:
    settings = parse({"state_dir": str(tmp_path / "new")})
    secret = secret_of(settings)
    assert secret_of(settings) == secret == (tmp_path / "new" / name).read_bytes()
    with pytest.raises(SettingsError, match=f"^state_dir: {name} cannot be kept there: Not a directory"):
        secret_of(parse({"state_dir": "/dev/null/state"}))
    (tmp_path / name).write_text("\n")
    with pytest.raises(SettingsError, match=f"^state_dir: {name} is empty"):
        secret_of(parse({"state_dir": str(tmp_path)}))


def test_the_kept_secrets_differ(tmp_path: Path) -> None:
    settings = parse({"state_dir": str(tmp_path)})
    assert len({secret_of(settings) for _, secret_of in KEPT}) == len(KEPT)


def test_secrets_come_from_a_value_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    settings = parse(
        {"key_pepper": "given", "user_hash_secret": "too", "anon_id_key": "other", "jwt": {"secret_file": str(file)}}
    )
    assert (settings.pepper(), settings.hash_secret(), settings.anonymous_key()) == (b"given", b"too", b"other")
    assert parse({"user_hash_secret_file": str(file)}).hash_secret() == SECRET.encode()
    assert settings.jwt_secret() == SECRET.encode()
    assert Settings().jwt_secret() is None


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe", None])
def test_secret_files_that_cannot_be_used(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / SECRET
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        secret_text("jwt.secret", None, file)
    assert str(caught.value).startswith("jwt.secret_file: the file ")
    assert SECRET not in str(caught.value)


def test_a_short_token_secret_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"^jwt\.secret: must have at least 32 bytes$"):
        parse({"jwt": {"secret": "x" * 31}}).jwt_secret()
    assert parse({"jwt": {"secret": "x" * 32}}).jwt_secret() == b"x" * 32


@pytest.mark.parametrize("address", [f"http://:{SECRET}@host", SECRET])
def test_an_address_of_redis_is_a_secret(address: str) -> None:
    settings = parse({"redis_url": address})
    assert SECRET not in repr(settings)
    with pytest.raises(SettingsError) as caught:
        settings.redis_address()
    assert str(caught.value) == "redis_url: must start with redis://, rediss:// or unix://"


def test_an_address_of_redis_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "address"
    file.write_text("rediss://host:6380/2\n")
    assert parse({"redis_url_file": file}).redis_address() == "rediss://host:6380/2"
    assert parse({}).redis_address() is None
    assert parse({"redis_url": ""}).redis_address() is None
