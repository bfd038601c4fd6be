"""`tollway explain` beside a running gateway: what a caller can check of a charge."""

import json
import re
from decimal import ROUND_HALF_UP, Decimal

import pytest

from flow.accounts import Account, Accounts
from flow.commands import Ended, tollway
from flow.conversation import ask, chat
from flow.programs import Gateway, Sim
from flow.quick import aftermath

LINE = re.compile(r"(\d+) ([a-z ]+) × \$([\d.]+) = \$([\d.]+)")


def arithmetic(ended: Ended) -> tuple[dict[str, int], int]:
    """How many tokens of each class, and what they come to, reckoned from what is printed."""
    *lines, total = ended.told["Arithmetic"]
    counts, exact = {}, Decimal(0)
    for line in lines:
        found = LINE.fullmatch(line)
        assert found, line
        count, what, price, worth = found.groups()
        assert int(count) * Decimal(price) == Decimal(worth)
        counts[what], exact = int(count), exact + Decimal(worth)
    rounded = (exact * 1_000_000).quantize(Decimal(1), ROUND_HALF_UP)
    assert total == f"sum ${exact:f}, rounded half up: list cost ${rounded / 1_000_000:.6f}"
    return counts, int(rounded)


def test_tokens_times_price_with_cached_ones(
    quick: Gateway, quick_accounts: Accounts, quick_account: Account, sim: Sim
) -> None:
    answer = ask(quick, quick_account, chat("plain/story", True, {"cached_tokens": 3}, max_tokens=500))
    after = aftermath(quick_accounts, quick_account, sim, answer.request_id)
    prompt, completion = after.tokens
    ended = tollway(quick.config, "explain", answer.request_id)
    assert (ended.code, ended.err) == (0, "")
    told = ended.told
    assert arithmetic(ended) == (
        {"prompt": prompt - 3, "cached": 3, "completion": completion},
        after.spent,
    )
    assert told["Tokens"] == [
        f"{prompt} prompt (3 cached, 0 written to the cache), {completion} completion (0 reasoning)"
    ]
    assert told["Rule"] == ["default: no rule above it applies: the model's providers in their order"]
    assert told["Route"] == ["1. plain/sim/story"]
    assert told["Attempts"] == ["1. plain:200"]
    assert re.fullmatch(r"settings/plain/story@[0-9a-f]{8}, in force since \d{4}-\d\d-\d\d", told["Price"][0])
    assert told["Caller"] == [
        f"user {quick_account.user_id}, key {quick_account.key_id}; paid from user:{quick_account.user_id}"
    ]
    charge = f"${after.spent / 1_000_000:.6f}"
    assert told["Charge"] == [f"{charge} (reported: the upstream reported it)"]
    assert told["Entries"] == [f"charge: {charge} from user:{quick_account.user_id} to system:revenue"]
    hold = re.fullmatch(
        r"\$([\d.]+) of a worst case of \$([\d.]+) \(at most (\d+) prompt and 500 completion tokens\)", told["Hold"][0]
    )
    assert hold
    held, worst, prompt_max = hold.groups()
    assert Decimal(held) == Decimal(worst) == Decimal(2 * int(prompt_max) + 8 * 500) / 1_000_000


def test_the_json_says_the_same_in_exact_figures(
    quick: Gateway, quick_accounts: Accounts, quick_account: Account, sim: Sim
) -> None:
    answer = ask(quick, quick_account, chat("plain/story", sim={"cached_tokens": 3}))
    after = aftermath(quick_accounts, quick_account, sim, answer.request_id)
    ended = tollway(quick.config, "explain", answer.request_id, "--json")
    assert ended.code == 0
    found = json.loads(ended.out, parse_float=lambda text: pytest.fail(f"{text} is a binary float"))
    worths = []
    for line in found["arithmetic"]:
        assert line["count"] * Decimal(line["price_usd"]) == Decimal(line["worth_usd"])
        worths.append(Decimal(line["worth_usd"]))
    assert (sum(worths) * 1_000_000).quantize(Decimal(1), ROUND_HALF_UP) == after.spent
    assert Decimal(found["list_cost_usd"]) * 1_000_000 == after.spent
    request = found["request"]
    assert (request["cost_microdollars"], request["cached_tokens"]) == (after.spent, 3)
    assert request["price_version"] == found["price"]["version"]
    assert found["price"]["cached_usd"] == "0.0000005"
    assert [(one["kind"], one["amount_microdollars"]) for one in found["entries"]] == [("charge", after.spent)]


def test_who_was_tried_before(quick: Gateway, quick_accounts: Accounts, quick_account: Account, sim: Sim) -> None:
    answer = ask(quick, quick_account, chat("two/story"))
    after = aftermath(quick_accounts, quick_account, sim, answer.request_id)
    told = tollway(quick.config, "explain", answer.request_id).told
    assert told["Route"] == ["1. dead/sim/story", "2. plain/sim/story"]
    assert told["Attempts"][0].startswith("1. dead:connect")
    assert told["Attempts"][-1] == f"{len(told['Attempts'])}. plain:200"
    assert told["Charge"][0].startswith(f"${after.spent / 1_000_000:.6f} ")


def test_a_reported_cost_stands_beside_the_list_price(
    quick: Gateway, quick_accounts: Accounts, quick_account: Account, sim: Sim
) -> None:
    answer = ask(quick, quick_account, chat("sim/story", sim={"cost": 0.000123}))
    after = aftermath(quick_accounts, quick_account, sim, answer.request_id)
    ended = tollway(quick.config, "explain", answer.request_id)
    assert after.spent == 123
    assert ended.told["Reported"] == ["$0.000123"]
    assert ended.told["Charge"] == ["$0.000123 (reported: the upstream reported it)"]
    assert arithmetic(ended)[1] == after.generated


def test_an_unknown_request_is_one_line(quick: Gateway) -> None:
    ended = tollway(quick.config, "explain", "0123456789abcdef0123456789abcdef")
    assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)
    assert ended.err.startswith("tollway: request 0123456789abcdef0123456789abcdef is not in the books")
