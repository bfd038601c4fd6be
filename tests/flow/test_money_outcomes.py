"""Who pays what over several requests: prices, bounds and the last of an account's money."""

import json
from decimal import ROUND_HALF_UP, Decimal

import pytest

from flow.accounts import Account, Accounts
from flow.conversation import ask, chat
from flow.programs import Gateway, Sim
from flow.quick import aftermath, held_by
from flow.usage_rows import usage_of

BOTH_WAYS = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])


@BOTH_WAYS
@pytest.mark.parametrize("model", ["sim/story", "sim/echo", "sim/reasoner", "sim/toolsmith", "plain/story"])
@pytest.mark.parametrize("choices", [1, 3])
def test_every_model_costs_what_the_stand_in_generated(
    quick: Gateway, quick_accounts: Accounts, quick_account: Account, sim: Sim, model: str, choices: int, stream: bool
) -> None:
    answer = ask(quick, quick_account, chat(model, stream, n=choices))
    after = aftermath(quick_accounts, quick_account, sim, answer.request_id)
    prompt, completion = after.tokens
    assert after.spent == (2 * prompt + 8 * completion if model == "plain/story" else after.generated)
    assert after.row
    assert (after.row.basis, after.row.completion_tokens, after.held) == ("reported", completion, 0)


def test_cached_tokens_have_their_own_price(
    quick: Gateway, quick_accounts: Accounts, quick_account: Account, sim: Sim
) -> None:
    answer = ask(quick, quick_account, chat("plain/story", sim={"cached_tokens": 7}))
    after = aftermath(quick_accounts, quick_account, sim, answer.request_id)
    prompt, completion = after.tokens
    exact = Decimal(2) * (prompt - 7) + Decimal("0.5") * 7 + Decimal(8) * completion
    assert after.spent == exact.quantize(Decimal(1), ROUND_HALF_UP)


def test_the_caller_cannot_switch_metering_off(
    quick: Gateway, quick_account: Account, quick_accounts: Accounts
) -> None:
    body = chat("sim/story", True, stream_options={"include_usage": False}, usage={"include": False})
    answer = ask(quick, quick_account, body)
    assert json.loads(answer.data[-2])["usage"]["completion_tokens"] == 24
    assert [row.basis for row in usage_of(quick_accounts, quick_account)] == ["reported"]


def test_the_last_of_the_money_buys_one_more_answer(quick: Gateway, quick_accounts: Accounts, sim: Sim) -> None:
    account = quick_accounts.create(microdollars=5)
    first = ask(quick, account, chat("plain/story", True))
    assert first.is_done
    after = aftermath(quick_accounts, account, sim, first.request_id, credit=5)
    assert after.spent > 5
    assert quick_accounts.balance(account) == 5 - after.spent < 0
    second = ask(quick, account, chat("plain/story", True))
    assert (second.status, second.json["error"]["code"]) == (402, "insufficient_credits")
    assert aftermath(quick_accounts, account, sim, second.request_id, credit=5).attempts == []
    assert quick_accounts.differences() == ()


def test_failures_leave_an_account_as_it_was(quick: Gateway, quick_accounts: Accounts, quick_account: Account) -> None:
    for model, control in (
        ("sim/story", {"status": 500}),
        ("sim/story", {"fault": "close_before"}),
        ("dead/model", {}),
        ("no/model", {}),
        ("sim/story", {"fault": "empty"}),
    ):
        for stream in (True, False):
            ask(quick, quick_account, chat(model, stream, control))
            assert held_by(quick_accounts, quick_account) == 0
    assert quick_accounts.balance(quick_account) == 10_000_000
