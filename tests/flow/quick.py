"""A gateway with short time-outs, and what is left of a request once it is over."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from flow import journals
from flow.accounts import Account, Accounts
from flow.programs import Gateway, Sim, settings_for
from flow.usage_rows import UsageRow, attempts_at, usage_of

TIMEOUTS: Mapping[str, float] = {
    "connect_s": 1.5,
    "send_s": 1.5,
    "stream_headers_s": 1.5,
    "answer_s": 3,
    "first_event_s": 1.5,
    "silence_s": 1.5,
    "stream_s": 4,
    "drain_s": 3,
}
WAITING = 'tollway_bound_current{bound="queue"}'  # a metric: requests that wait for a place
MODELS = """
[[models]]
id = "abort/story"
provider = "abort"
upstream_model = "sim/story"
prompt_usd_per_million = "2"
completion_usd_per_million = "8"

[[models]]
id = "two/story"
provider = "dead"
upstream_model = "sim/story"
prompt_usd_per_million = "1"
completion_usd_per_million = "1"

[[models]]
id = "two/story"
provider = "plain"
upstream_model = "sim/story"
prompt_usd_per_million = "2"
completion_usd_per_million = "8"

[providers.abort]
kind = "compatible"
base_url = "{sim_url}/v1"
api_key = "sk-fake-upstream-key"
stops_billing_on_abort = true
"""


def quick_settings(folder: Path, sim_url: str, top: str = "", timeouts: Mapping[str, float] | None = None) -> str:
    """Settings with TIMEOUTS (and what overrides them), free retries and more models: `abort/story`, whose upstream
    stops billing when it is left, and `two/story`, whose first provider is out of order."""
    lines = "\n".join(f"{name} = {value}" for name, value in {**TIMEOUTS, **(timeouts or {})}.items())
    retries = "[retries]\nbackoff_s = 0.01\nbudget_min = 100000"
    return settings_for(
        folder, sim_url, top=f"{top}\n{retries}\n[timeouts]\n{lines}\n", models=MODELS.replace("{sim_url}", sim_url)
    )


@dataclass(frozen=True)
class Aftermath:
    """What the books and the stand-in hold of one request."""

    row: UsageRow | None
    spent: int  # by how much the account's balance went down since it was made
    held: int  # open holds of the account
    attempts: list[dict[str, Any]]  # the stand-in's answers to this request

    @property
    def generated(self) -> int:
        """What the stand-in's last answer was worth at its own list price, in µ$."""
        return int((Decimal(self.attempts[-1]["cost"]) * 1_000_000).quantize(Decimal(1), ROUND_HALF_UP))

    @property
    def tokens(self) -> tuple[int, int]:
        """Prompt and completion tokens of the stand-in's last answer."""
        return self.attempts[-1]["prompt_tokens"], self.attempts[-1]["completion_tokens"]


def aftermath(accounts: Accounts, account: Account, sim: Sim, request_id: str, credit: int = 10_000_000) -> Aftermath:
    """Call it once the request is settled, for an account that has made only this one since `credit` was all it had."""
    rows = [row for row in usage_of(accounts, account) if row.id == request_id]
    return Aftermath(
        row=rows[0] if rows else None,
        spent=credit - accounts.balance(account),
        held=held_by(accounts, account),
        attempts=attempts_at(sim, request_id),
    )


def held_by(accounts: Accounts, account: Account) -> int:
    """Micro-dollars that open requests of the account hold; -1 when one of them holds nothing."""
    return journals.held_by(accounts.state_dir, account.user_id)


def gauge(gateway: Gateway, name: str) -> float:
    """A metric, with its labels if it has any, as `/metrics` tells it."""
    with urlopen(f"{gateway.url}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return next(float(line.split(" ")[1]) for line in lines if line.startswith(f"{name} "))
