"""An address that shows too many bad credentials: twenty a minute by default, whatever route it tries."""

import http.client
import json
from collections.abc import Iterator, Mapping

import pytest

from flow.accounts import Accounts
from flow.programs import Gateway, Sim, settings_for
from flow.quick import gauge

MOST = 20
BODY = json.dumps({"model": "sim/story", "messages": [{"role": "user", "content": "hi"}]}).encode()


@pytest.fixture
def gateway(tmp_path_factory: pytest.TempPathFactory, sim: Sim) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    settings = settings_for(folder, sim.url, top='trusted_proxies = ["127.0.0.0/8"]')
    program = Gateway(folder, settings, counts_logins=True)
    yield program
    program.stop()


def ask(gateway: Gateway, key: str, address: str, path: str = "/v1/chat/completions") -> tuple[int, Mapping[str, str]]:
    """Status and headers of one request of a client behind the proxy."""
    connection = http.client.HTTPConnection(gateway.host, gateway.port, timeout=20)
    headers = {"Authorization": f"Bearer {key}", "X-Forwarded-For": address, "Content-Type": "application/json"}
    try:
        if path.startswith("/v1/"):
            connection.request("POST", path, BODY, headers)
        else:
            connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()


def test_twenty_bad_credentials_a_minute(gateway: Gateway) -> None:
    accounts = Accounts(gateway.config)
    account, newcomer = accounts.create(), accounts.create()
    office, elsewhere = "2001:db8:0:1::1", "2001:db8:0:2::1"
    assert ask(gateway, account.key, office)[0] == 200
    paths = ("/v1/chat/completions", "/api/profile", "/api/admin/v1/keys", "/v1/messages")
    for attempt in range(MOST):
        assert ask(gateway, f"tw_live_{attempt:036}", office, paths[attempt % 4])[0] == 401
    for path in paths:
        status, headers = ask(gateway, "tw_live_another", "2001:db8:0:1::99", path)
        assert status == 429, path
        assert 1 <= int(headers["retry-after"]) <= 60 * 1.2
        assert headers["x-ratelimit-limit"] == str(MOST)
        assert headers["x-ratelimit-remaining"] == "0"
    assert ask(gateway, "tw_live_another", elsewhere)[0] == 401
    assert ask(gateway, account.key, office)[0] == 200, "who is known is let in"
    assert ask(gateway, newcomer.key, office)[0] == 429
    assert ask(gateway, newcomer.key, elsewhere)[0] == 200
    assert ask(gateway, newcomer.key, office)[0] == 200, "who has become known elsewhere, too"
    assert gauge(gateway, 'tollway_bound_rejected_total{bound="failed_logins"}') == 5
    told = [json.loads(line) for line in gateway.lines if '"security_event"' in line]
    assert [line["action"] for line in told] == ["refuse_logins"]
    assert office[:12] not in "".join(gateway.lines)
