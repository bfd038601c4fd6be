"""Upstreams are called directly and alone, whatever the environment or they themselves say (guarantees U6)."""

import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from flow.accounts import Account, Accounts
from flow.conversation import ask, chat
from flow.patience import until
from flow.programs import Gateway, Sim
from flow.quick import quick_settings

TOLD = "generation_lookup = true"


class Trap:
    """Nobody may come here. `came`: who did."""

    def __init__(self) -> None:
        self.came: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            with peer:
                self.came.append(peer.recv(65_536))

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@pytest.fixture(scope="module")
def trap() -> Iterator[Trap]:
    made = Trap()
    yield made
    made.close()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, sim: Sim, trap: Trap) -> Iterator[Gateway]:
    """In an environment that would lead most clients elsewhere, under another name."""
    folder: Path = tmp_path_factory.mktemp("gateway")
    (folder / ".netrc").write_text("machine 127.0.0.1 login nobody password netrc-canary\n")
    (folder / ".netrc").chmod(0o600)
    proxies = {f"{kind}_proxy": trap.url for kind in ("http", "https", "all")}
    loud = {name.upper(): value for name, value in proxies.items()}
    home = {"HOME": str(folder), "NETRC": str(folder / ".netrc")}
    settings = quick_settings(folder, sim.url).replace("reports_cost = true", f"reports_cost = true\n{TOLD}")
    program = Gateway(folder, settings, {**proxies, **loud, **home})
    yield program
    assert program.stop() == 0


@pytest.fixture
def account(gateway: Gateway) -> Account:
    return Accounts(gateway.config).create()


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_the_environment_leads_nowhere(gateway: Gateway, account: Account, sim: Sim, trap: Trap, stream: bool) -> None:
    """Neither a request nor a look-up."""
    id_ = f"{account.user_id}-answer"
    answer = ask(gateway, account, chat("sim/story", stream, {"usage": "omit", "id": id_}))
    assert answer.status == 200
    sent = next(one for one in sim.records() if one["kind"] == "request" and one["id"] == id_)
    headers = [(name.lower(), value) for name, value in sent["headers"]]
    assert dict(headers)["accept-encoding"] == "identity"
    assert dict(headers)["authorization"] == "…-key"
    assert len(dict(headers)) == len(headers)
    until(lambda: [one for one in sim.records() if one["kind"] == "lookup" and one["id"] == id_])
    assert trap.came == []


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_a_redirection_is_not_followed(gateway: Gateway, account: Account, sim: Sim, trap: Trap, stream: bool) -> None:
    """Not elsewhere, and not to another place at the same upstream."""
    for location in (trap.url, "/v1/models", f"{sim.url}/v1/chat/completions"):
        known = sim.requests()
        answer = ask(gateway, account, chat("sim/story", stream, {"fault": "redirect", "location": location}))
        assert (answer.status, answer.json["error"]["code"]) == (502, "upstream_redirect")
        assert "location" not in answer.headers
        assert sim.requests() == known + 1
    assert trap.came == []
