"""Endpoints of callers behind TLS: the certificate must be one that the machine trusts; nobody can turn that off."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from flow.accounts import Account, Accounts
from flow.commands import tollway
from flow.conversation import ask, chat
from flow.programs import Gateway, Sim, settings_for
from flow.test_tls_upstream import authority_of


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sim]:
    folder = tmp_path_factory.mktemp("secure")
    program = Sim(folder, "--tls", "--certificate-dir", str(folder))
    yield program
    program.stop()


def served(folder: Path, secure: Sim, host: str, environment: dict[str, str]) -> int:
    """The status of a request to the endpoint, called `host`, of a gateway with that environment."""
    url = secure.url.replace("127.0.0.1", host)
    top = f'[custom_upstreams]\nallowed_private_endpoints = ["{url}"]\n[retries]\ncount_max = 0\n'
    gateway = Gateway(folder, settings_for(folder, secure.url, top=top), environment)
    try:
        accounts = Accounts(gateway.config)
        account: Account = accounts.create(0)
        key = folder / "key"
        key.write_text("sk-not-a-real-key")
        words = ("upstreams", "add", "acme", "--user", account.user_id, "--url", f"{url}/v1", "--key-file", str(key))
        added = tollway(gateway.config, *words)
        assert added.code == 0, added.err
        return ask(gateway, account, chat("acme/sim/story")).status
    finally:
        assert gateway.stop() == 0


def test_a_certificate_that_the_machine_trusts_of_the_name_that_was_asked_for(tmp_path: Path, secure: Sim) -> None:
    trusting = {"SSL_CERT_FILE": authority_of(secure)}
    assert served(tmp_path / "good", secure, "localhost", trusting) == 200


def test_a_certificate_of_nobody_it_knows(tmp_path: Path, secure: Sim) -> None:
    assert served(tmp_path / "stranger", secure, "127.0.0.1", {}) == 502
