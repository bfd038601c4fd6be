import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from vectors.upstream import Upstream

KEY = "sk-a-key-of-twenty-characters"
ANN = ("--user", "ann@example.com")
URL = "https://8.8.8.8/v1"  # an address, so that nothing is looked up


@pytest.fixture
def endpoint() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


def add(acme, *more: str, name: str = "acme", url: str = URL, **environment: str):
    return acme("upstreams", "add", name, "--url", url, *ANN, "--json", *more, input=KEY + "\n", **environment)


def test_the_key_is_entered_and_never_shown(acme, tmp_path: Path) -> None:
    headers, models = tmp_path / "headers.json", tmp_path / "models.json"
    headers.write_text('{"X-Team": "blue-team-secret"}')
    models.write_text('{"models": [{"id": "m1"}]}')
    made = add(acme, "--headers-file", str(headers), "--models-file", str(models), "--name", "Acme").json
    assert set(made) == {
        "id",
        "provider_id",
        "display_name",
        "base_url",
        "model_metadata",
        "is_enabled",
        "has_key",
        "last_four",
        "header_names",
        "created_at",
        "updated_at",
        "created_by",
        "owner_kind",
        "owner_id",
    }
    assert (made["provider_id"], made["last_four"], made["header_names"]) == ("acme", "ters", ["X-Team"])
    assert acme("upstreams", "list", *ANN, "--json").json == [made]
    listed = acme("upstreams", "list", *ANN).out
    assert "X-Team" in listed
    headers.unlink()
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    for secret in (KEY, "blue-team-secret"):
        assert secret not in json.dumps(made) + listed
        assert secret.encode() not in stored


def test_a_key_from_a_file(acme, tmp_path: Path) -> None:
    file = tmp_path / "acme.key"
    file.write_text("sk-from-the-file-wxyz\n")
    assert add(acme, "--key-file", str(file)).json["last_four"] == "wxyz"


def test_changes(acme) -> None:
    add(acme)

    def change(command: str, *more: str, **given: str):
        return acme("upstreams", command, "acme", *ANN, "--json", *more, **given).json

    assert change("set", "--name", "New")["display_name"] == "New"
    assert change("disable")["is_enabled"] is False
    assert change("enable")["is_enabled"] is True
    moved = change("set", "--url", "https://8.8.4.4/v1")
    assert (moved["has_key"], moved["is_enabled"], moved["last_four"]) == (False, False, "")
    refused = acme("upstreams", "enable", "acme", *ANN)
    assert (refused.code, refused.err) == (1, "tollway: is_enabled: the API key must be entered again\n")
    assert change("set", "--new-key", input=KEY)["is_enabled"] is True
    assert change("set", "--provider-id", "beta")["provider_id"] == "beta"
    shown = acme("upstreams", "set", "beta", *ANN, "--name", "Plain").out
    assert "display name" in shown
    assert acme("upstreams", "remove", "beta", *ANN).code == 0
    assert acme("upstreams", "list", *ANN).err == "There are no custom upstreams.\n"


def test_refusals_are_one_line(acme, tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text('{"X-Team": "blue-team-secret"')
    refused = add(acme, "--headers-file", str(broken))
    assert (refused.code, refused.err) == (1, f"tollway: {broken}: is not JSON\n")
    assert add(acme, "--headers-file", str(tmp_path / "none")).code == 1
    assert add(acme, name="Big").err.startswith("tollway: provider_id: must be 1 to 48")
    assert add(acme, url="https://10.0.0.1/v1").err == "tollway: base_url: the host must have a public address\n"
    assert acme("upstreams", "list").err == "tollway: name a user or an organization\n"
    assert acme("upstreams", "remove", "none", *ANN).err == "tollway: Custom upstream not found\n"
    add(acme)
    assert add(acme).err == "tollway: A custom upstream with this provider_id already exists\n"


def test_names_of_the_catalog_are_reserved(acme) -> None:
    preset = {"TOLLWAY_PRESET": "kilo"}
    assert add(acme, name="anthropic", **preset).err == "tollway: provider_id: this name is reserved\n"
    assert add(acme, name="anthropic", TOLLWAY_CUSTOM_UPSTREAMS__MAY_SHADOW="true", **preset).code == 0


def test_an_organization_has_its_own(acme) -> None:
    words = ("upstreams", "add", "acme", "--url", URL, "--org", "Acme", "--json")
    assert acme(*words, input=KEY).json["owner_kind"] == "organization"
    assert acme("upstreams", "list", *ANN, "--json").json == []
    assert len(acme("upstreams", "list", "--org", "Acme", "--json").json) == 1


def test_trying_and_discovering(acme, endpoint: Upstream) -> None:
    opened = {"TOLLWAY_CUSTOM_UPSTREAMS__ALLOWED_PRIVATE_ENDPOINTS": endpoint.url}

    def call(command: str, *more: str):
        return acme("upstreams", command, "acme", *ANN, *more, **opened)

    add(acme, url=f"{endpoint.url}/v1", **opened)
    assert call("test").err.startswith("tollway: model: must be the id of a model")
    assert call("test", "--model", "m1").out == "The endpoint answered.\n"
    sent = endpoint.next()
    assert (sent.body["model"], sent.headers["authorization"]) == ("m1", f"Bearer {KEY}")
    assert call("test", "--model", "m1", "--json").json["success"] is True
    endpoint.next()
    endpoint.answer = b'{"data": [{"id": "org/m2"}]}'
    assert call("discover").out == "org/m2\n"
    assert call("discover", "--save", "--json").json["models"][0]["id"] == "org/m2"
    assert endpoint.next().target == "/v1/models"
    assert acme("upstreams", "list", *ANN, "--json").json[0]["model_metadata"]["models"][0]["id"] == "org/m2"
    endpoint.status, endpoint.answer = 401, KEY.encode()
    failed = call("test")
    assert (failed.code, failed.err) == (1, "tollway: API key test failed. Check the credential and try again.\n")
    assert call("discover").err == "tollway: Failed to load models: 401\n"
