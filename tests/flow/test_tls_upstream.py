"""An upstream behind TLS: the certificate must be the right one, and nothing is ever said in plain text."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from flow.accounts import Accounts
from flow.conversation import ask, chat, wait_for_end
from flow.programs import Gateway, Program, Sim
from flow.quick import held_by, quick_settings

TLS_HANDSHAKE = 0x16


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sim]:
    folder = tmp_path_factory.mktemp("secure")
    program = Sim(folder, "--tls", "--certificate-dir", str(folder))
    yield program
    program.stop()


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sim]:
    """Another one, signed by an authority of its own."""
    folder = tmp_path_factory.mktemp("stranger")
    program = Sim(folder, "--tls", "--certificate-dir", str(folder))
    yield program
    program.stop()


@pytest.fixture(scope="module")
def gateway_with_tls(tmp_path_factory: pytest.TempPathFactory, secure: Sim, stranger: Sim) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    authority = authority_of(secure)
    by_other_name = secure.url.replace("127.0.0.1", "127.0.0.2")  # the stand-in listens on 127.0.0.1 only …
    ports = {"good": secure.url, "wrong_authority": stranger.url}
    tables = [provider(name, url, authority) for name, url in ports.items()]
    tables.append(provider("no_authority", secure.url, None))
    tables.append(provider("wrong_name", by_other_name, authority))
    settings = quick_settings(folder, secure.url, timeouts={"send_s": 0.5, "first_event_s": 5, "answer_s": 8})
    settings = settings.replace('api_key = "sk-fake-upstream-key"', f'api_key = "sk-x"\nca_file = "{authority}"')
    program = Gateway(folder, settings + "".join(tables))
    yield program
    program.stop()


def authority_of(sim: Sim) -> str:
    return next(line for line in sim.lines if line.startswith("certificate authority: ")).partition(": ")[2]


def provider(name: str, url: str, authority: str | None) -> str:
    ca_file = f'ca_file = "{authority}"' if authority else ""
    return f"""
[providers.{name}]
kind = "compatible"
base_url = "{url}/v1"
api_key = "sk-x"
{ca_file}

[[models]]
id = "tls/{name}"
provider = "{name}"
upstream_model = "sim/story"
prompt_usd_per_million = "2"
completion_usd_per_million = "8"
"""


def test_a_known_authority_is_trusted_and_its_connection_kept(gateway_with_tls: Gateway, secure: Sim) -> None:
    accounts = Accounts(gateway_with_tls.config)
    account = accounts.create()
    for stream in (True, False) * 3:
        answer = ask(gateway_with_tls, account, chat("tls/good", stream))
        assert answer.status == 200
        wait_for_end(gateway_with_tls, account)
    assert accounts.differences() == ()
    while len(requests := requests_at(secure)) < 6:
        pass
    assert len({request["connection"] for request in requests[-6:]}) == 1


def requests_at(sim: Sim) -> list[dict[str, Any]]:
    """The requests in the stand-in's record file, written a moment after they came."""
    lines = sim.record_file.read_bytes().rpartition(b"\n")[0].splitlines()
    return [record for record in map(json.loads, lines) if record["kind"] == "request"]


def test_waiting_for_an_answer_is_not_waiting_to_send(gateway_with_tls: Gateway) -> None:
    """Over TLS, too, and on a connection that has been used before: send_s is half a second here."""
    account = Accounts(gateway_with_tls.config).create()
    for events in (1, 2, 3, 4, 5):
        answer = ask(gateway_with_tls, account, chat("tls/good", True, {"chunks": events, "delay_ms": 20}))
        assert answer.is_done
        wait_for_end(gateway_with_tls, account)
        answer = ask(gateway_with_tls, account, chat("tls/good", sim={"first_delay_ms": 1_100}))
        assert answer.status == 200
        assert wait_for_end(gateway_with_tls, account)["attempts"] == ["good:200"]


def test_a_large_request_over_tls(gateway_with_tls: Gateway) -> None:
    account = Accounts(gateway_with_tls.config).create()
    assert ask(gateway_with_tls, account, chat("tls/good", padding="x" * 3_000_000)).status == 200


@pytest.mark.parametrize("name", ["wrong_authority", "no_authority", "wrong_name"])
def test_a_doubtful_certificate_is_refused(gateway_with_tls: Gateway, name: str) -> None:
    accounts = Accounts(gateway_with_tls.config)
    account = accounts.create()
    answer = ask(gateway_with_tls, account, chat(f"tls/{name}"))
    assert (answer.status, answer.json["error"]["code"]) == (502, "upstream_unreachable")
    assert "certificate" not in answer.body.decode().lower()
    assert accounts.balance(account) == 10_000_000
    assert held_by(accounts, account) == 0


def test_plain_text_is_never_spoken(tmp_path: Path) -> None:
    first_bytes: list[bytes] = []

    def listen(listener: socket.socket) -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer:
                first_bytes.append(peer.recv(5))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=listen, args=(listener,))
        thread.start()
        url = f"https://localhost:{listener.getsockname()[1]}"
        gateway = Gateway(tmp_path, quick_settings(tmp_path, "http://127.0.0.1:9") + provider("trap", url, None))
        try:
            answer = ask(gateway, Accounts(gateway.config).create(), chat("tls/trap"))
        finally:
            gateway.stop()
            listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)
    assert answer.status == 502
    assert first_bytes
    assert {said[0] for said in first_bytes} == {TLS_HANDSHAKE}


def test_an_authority_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    settings = quick_settings(tmp_path, "http://127.0.0.1:9") + provider("odd", "https://a.example", "/nowhere.pem")
    (tmp_path / "tollway.toml").write_text(settings)
    program = Program(["tollway", "serve"], {"TOLLWAY_CONFIG": str(tmp_path / "tollway.toml")}, tmp_path)
    assert program.wait() != 0
    assert any("providers.odd.ca_file" in line for line in program.lines)
