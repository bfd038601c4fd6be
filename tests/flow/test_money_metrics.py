"""What an operator sees at /metrics of money on its way."""

from flow.accounts import Account, Accounts
from flow.conversation import Conversation, chat
from flow.journals import wait_until_settled
from flow.programs import Gateway
from flow.quick import gauge

BODY = chat("plain/story", True, {"chunks": 100, "delay_ms": 5}, max_tokens=1_000)
WORST_CASE = range(8_000, 9_000)  # 1,000 tokens at 8 µ$, and the prompt


def test_the_gauges_follow_a_request(quick: Gateway, quick_accounts: Accounts, quick_account: Account) -> None:
    settled = gauge(quick, "tollway_charged_microdollars_total")
    assert [gauge(quick, "tollway_open_holds"), leased(quick, "held")] == [0, 0]
    with Conversation(quick) as conversation:
        conversation.ask(quick_account, BODY)
        conversation.read_until(b"data: ")
        assert gauge(quick, "tollway_open_holds") == 1
        assert leased(quick, "held") in WORST_CASE
        assert leased(quick, "free") > 0
        conversation.read_answer()
    wait_until_settled(quick_accounts.state_dir)
    charge = 10_000_000 - quick_accounts.balance(quick_account)
    assert charge >= 800
    assert gauge(quick, "tollway_charged_microdollars_total") - settled == charge
    for name in ("open_holds", "unsettled", "unsettled_microdollars", "journal_lag_seconds", "journal_failures"):
        assert gauge(quick, f"tollway_{name}") == 0, name
    assert [leased(quick, part) for part in ("held", "used")] == [0, 0]
    assert gauge(quick, "tollway_journal_bytes") > 0
    assert gauge(quick, "tollway_journal_sync_seconds_count") > 0
    assert gauge(quick, "tollway_books_differences") == 0


def leased(gateway: Gateway, part: str) -> float:
    return gauge(gateway, f'tollway_leased_microdollars{{part="{part}"}}')
