"""The shortest way through everything: a request in, an answer out, a charge in the books."""

import json
import urllib.request

from flow.accounts import Account, Accounts
from flow.programs import Gateway


def _post(gateway: Gateway, account: Account, body: dict[str, object]) -> tuple[dict[str, str], bytes]:
    headers = {**account.headers, "Content-Type": "application/json"}
    request = urllib.request.Request(
        f"{gateway.url}/v1/chat/completions", json.dumps(body).encode(), headers, method="POST"
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return dict(answer.headers), answer.read()


def test_a_plain_answer_is_charged_what_the_upstream_reports(
    gateway: Gateway, accounts: Accounts, account: Account
) -> None:
    before = accounts.balance(account)
    headers, body = _post(gateway, account, {"model": "sim/story", "messages": [{"role": "user", "content": "hi"}]})
    usage = json.loads(body)["usage"]
    charge = int(headers["x-tollway-charge-microdollars"])
    assert charge == int(usage["cost"] * 1_000_000 + 0.5) > 0
    assert before - accounts.balance(account) == charge


def test_a_stream_is_charged_before_its_last_event(gateway: Gateway, accounts: Accounts, account: Account) -> None:
    before = accounts.balance(account)
    body = {"model": "sim/story", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    _, stream = _post(gateway, account, body)
    assert stream.endswith(b"data: [DONE]\n\n")
    assert accounts.balance(account) < before
