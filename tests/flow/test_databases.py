"""The whole road on SQLite and on PostgreSQL: the same requests, the same books, with one worker and with several."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from flow.accounts import Accounts
from flow.programs import Gateway, Sim, settings_for
from flow.together import post_together

_MANY = "[limits]\nin_flight_per_account = 1000\nin_flight_per_key = 1000"
_HOLD = 25_000  # micro-dollars; more than one worst case of the request below, less than two


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("policy", ["strict", "partial"])
def test_a_balance_for_three_admits_three_of_two_hundred(
    database_url: str, workers: int, policy: str, tmp_path: Path, sim: Sim
) -> None:
    top = f'workers = {workers}\nhold_policy = "{policy}"\n{_MANY}'
    settings = settings_for(tmp_path, sim.url, database_url=database_url, top=top)
    gateway = Gateway(tmp_path, settings)
    try:
        accounts = Accounts(gateway.config)
        account = accounts.create(microdollars=3 * _HOLD if policy == "strict" else 2 * _HOLD)  # or 2 and a part
        body: dict[str, object] = {
            "model": "sim/story",
            "messages": [{"role": "user", "content": "x" * 60}],
            "max_tokens": 16_000,
            "sim": {"first_delay_ms": 4_000},  # nobody is done before all have asked
        }
        before = sim.requests()
        statuses = asyncio.run(post_together([gateway], account.headers, body, 200))
        assert sim.requests() - before == 3, "an upstream saw a request that was not admitted"
        assert Counter(statuses) == {200: 3, 402: 197}
        assert accounts.differences() == ()
    finally:
        assert gateway.stop() == 0


def test_revenue_is_the_sum_of_all_charges(database_url: str, tmp_path: Path, sim: Sim) -> None:
    gateway = Gateway(tmp_path, settings_for(tmp_path, sim.url, database_url=database_url, top="workers = 2"))
    try:
        accounts = Accounts(gateway.config)
        account = accounts.create(microdollars=1_000_000)
        body: dict[str, object] = {"model": "sim/story", "stream": True, "messages": []}
        statuses = asyncio.run(post_together([gateway], account.headers, body, 40))
        assert Counter(statuses) == {200: 40}
        assert accounts.differences() == ()
        # 24 tokens at 1.5 µ$ and one prompt token at 0.5: 36.5, rounded half up
        assert accounts.balance(account) == 1_000_000 - 40 * 37
    finally:
        assert gateway.stop() == 0
