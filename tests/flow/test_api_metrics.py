"""A request leaves a record; a model that fails is told of at the webhook, once, by one of the workers."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from sqlalchemy import Connection, select, update

from flow.accounts import Account, Accounts
from flow.commands import tollway
from flow.conversation import PROMPT, ask, chat
from flow.programs import Gateway, Sim, settings_for
from flow.receiver import Receiver
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database
from tollway.storage.sql.observation_tables import analytics_events, api_metrics

TOKEN = "operators-only"
PATIENCE_S = 30
FROM_ELSEWHERE = {
    "kiloUserId": "u",
    "isAnonymous": False,
    "isStreaming": False,
    "userByok": False,
    "provider": "elsewhere",
    "requestedModel": "a/b",
    "resolvedModel": "a/b",
    "toolsAvailable": [],
    "toolsUsed": [],
    "ttfbMs": 1,
    "completeRequestMs": 2,
    "statusCode": 500,
}


def records(accounts: Accounts, count: int) -> list[dict[str, Any]]:
    """All of them, oldest first, once there are so many."""

    async def work(_: SqlAdmin, database: Database) -> list[dict[str, Any]]:
        def read(connection: Connection) -> list[dict[str, Any]]:
            query = select(*api_metrics.c).order_by(api_metrics.c.created_at)
            return [dict(row._mapping) for row in connection.execute(query)]

        return await database.read(read)

    return until(lambda: accounts.run(work), lambda found: len(found) >= count)


def until(look: Callable[[], Any], is_it: Callable[[Any], bool]) -> Any:
    ends_at = time.monotonic() + PATIENCE_S
    while not is_it(found := look()):
        assert time.monotonic() < ends_at, found
    return found


def operate(gateway: Gateway, method: str, path: str, body: object = None, token: str = TOKEN) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = Request(f"{gateway.url}{path}", data, {"X-O11Y-ADMIN-TOKEN": token}, method=method)
    with urlopen(request, timeout=10) as answer:
        text = answer.read()
        return json.loads(text) if text else answer.status


def test_a_request_leaves_a_row_and_is_sent_on(tmp_path: Path, sim: Sim, database_url: str) -> None:
    with Receiver(500) as elsewhere:
        more = f"""
[api_metrics]
enabled = true
receiver_url = "{elsewhere.url}/ingest/api-metrics"
receiver_token = "shared"
flush_s = 0.1
[retries]
count_max = 0
"""
        settings = settings_for(tmp_path, sim.url, database_url=database_url, top=more)
        gateway = Gateway(tmp_path, settings)
        try:
            accounts = Accounts(gateway.config)
            account = accounts.create()
            tools = [{"type": "function", "function": {"name": "read", "parameters": {}}}]
            answer = ask(gateway, account, chat(stream=True, tools=tools, sim={"first_delay_ms": 40}))
            assert answer.is_done
            first = elsewhere.next()  # the receiver refuses it, which changes nothing here
            assert ask(gateway, account, chat("dead/model")).status == 502
            served, failed = records(accounts, 2)
            assert elsewhere.next()["provider"] == "dead"
        finally:
            assert gateway.stop() == 0
    assert (elsewhere.tokens, set(elsewhere.paths)) == (["shared"] * 2, {"/ingest/api-metrics"})
    assert served["id"] == answer.request_id
    assert (served["provider"], served["resolved_model"], served["client_name"]) == ("sim", "sim/story", "tollway")
    assert (served["status_code"], served["is_error"], served["user_byok"]) == (200, False, False)
    assert 40 <= served["ttfb_ms"] <= served["complete_request_ms"]
    assert (served["user_id"], served["is_streaming"], served["tools_available"]) == (
        account.user_id,
        True,
        ("function:read",),
    )
    assert served["total_tokens"] == served["input_tokens"] + served["output_tokens"] > 0
    assert (failed["provider"], failed["status_code"], failed["is_error"], failed["total_tokens"]) == (
        "dead",
        502,
        True,
        None,
    )
    assert (first["kiloUserId"], first["ttfbMs"], first["toolsAvailable"]) == (
        account.user_id,
        served["ttfb_ms"],
        ["function:read"],
    )
    assert "shared" not in json.dumps(first)
    assert PROMPT not in json.dumps([first, served, failed], default=str)


def test_a_burn_is_told_once(tmp_path: Path, sim: Sim, database_url: str) -> None:
    with Receiver(503) as pager, Receiver() as tickets:
        gateway = Gateway(tmp_path, alerting(tmp_path, sim, database_url, pager, tickets))
        try:
            accounts = Accounts(gateway.config)
            account = accounts.create()
            rule = {"model": " SIM/Story:free ", "enabled": True, "errorRateSlo": 0.999, "minRequestsPerWindow": 3}
            made = operate(gateway, "PUT", "/alerting/config", rule)
            assert made["config"]["model"] == "sim/story"
            assert operate(gateway, "POST", "/ingest/api-metrics", FROM_ELSEWHERE) == 204
            fail(gateway, account, "sim/story", 3)
            received = [row for row in records(accounts, 4) if row["provider"] == "elsewhere"]
            assert [(row["client_name"], row["is_error"], row["user_id"]) for row in received] == [
                ("tollway", True, "u")
            ]
            refused, told = pager.next(), pager.next()  # the pager was away at first, so the next window tried again
            assert refused["text"] == told["text"]
            assert told["blocks"][0]["text"]["text"] == ":rotating_light: PAGE — LLM Error Rate SLO Breach"
            assert told["blocks"][2]["text"]["text"] == (
                "Error rate: 100.00% (SLO: 99.90%)\nRequests in window: 3\nClient: tollway"
            )
            slow = {"model": "sim/echo", "enabled": True, "ttfbThresholdMs": 20, "ttfbSlo": 0.95}
            operate(gateway, "PUT", "/alerting/ttfb-config", {**slow, "minRequestsPerWindow": 2})
            for _ in range(2):
                assert ask(gateway, account, chat("sim/echo", sim={"first_delay_ms": 60})).status == 200
            another = pager.next()  # by then errors of sim/story were looked at again and again
            assert another["blocks"][0]["text"]["text"] == ":rotating_light: PAGE — LLM TTFB Latency SLO Breach"
            shown = tollway(gateway.config, "alerts", "--json").json
            states = {(one["model"], one["long_minutes"], one["state"]) for one in shown["burns"]}
            assert states >= {("sim/story", 5, "told"), ("sim/story", 360, "told"), ("sim/echo", 5, "told")}
        finally:
            assert gateway.stop() == 0
        assert pager.is_untouched
        assert tickets.is_untouched  # the page of the same dimension silences them


def alerting(folder: Path, sim: Sim, database_url: str, pager: Receiver, tickets: Receiver) -> str:
    """Two workers, who both would look ten times a second."""
    more = f"""
workers = 2
[api_metrics]
enabled = true
admin_token = "{TOKEN}"
flush_s = 0.1
[alerts]
enabled = true
page_webhook_url = "{pager.url}/page"
ticket_webhook_url = "{tickets.url}/ticket"
interval_s = 0.1
[retries]
count_max = 0
"""
    return settings_for(folder, sim.url, database_url=database_url, top=more)


def fail(gateway: Gateway, account: Account, model: str, times: int) -> None:
    for _ in range(times):
        assert ask(gateway, account, chat(model, sim={"status": 500})).status == 500


def test_what_waits_is_written_before_the_end(tmp_path: Path, sim: Sim) -> None:
    settings = settings_for(tmp_path, sim.url, top="[api_metrics]\nenabled = true\nflush_s = 3600\n")
    gateway = Gateway(tmp_path, settings)
    try:
        accounts = Accounts(gateway.config)
        account = accounts.create()
        assert ask(gateway, account, chat()).status == 200
        assert records(accounts, 0) == []
    finally:
        assert gateway.stop() == 0
    assert [row["user_id"] for row in records(accounts, 1)] == [account.user_id]


def test_first_requests_are_told_of(tmp_path: Path, sim: Sim, database_url: str) -> None:
    """Noted when they are booked, and sent some time later, which is made to have passed."""
    with Receiver(500) as sink:
        top = f'[analytics]\napi_key = "phc_key"\nurl = "{sink.url}/capture/"\ninterval_s = 0.1\n'
        gateway = Gateway(
            tmp_path, settings_for(tmp_path, sim.url, database_url=database_url, top=f"workers = 2\n{top}")
        )
        try:
            accounts = Accounts(gateway.config)
            account = accounts.create()
            first = ask(gateway, account, chat())
            assert accounts.balance(account) < 10_000_000  # booked: what each worker settles first is chance otherwise
            assert ask(gateway, account, chat()).status == 200

            async def make_due(_: SqlAdmin, database: Database) -> list[str]:
                columns = analytics_events.c
                due = update(analytics_events).where(columns.due_at.is_not(None)).values(due_at=columns.created_at)
                await database.write(lambda connection: connection.execute(due))
                query = select(columns.request_id)
                return list(await database.read(lambda connection: connection.execute(query).scalars().all()))

            assert accounts.run(make_due) == [first.request_id] * 2
            refused, arrived = sink.next(), sink.next()
            accounts.run(make_due)
            again = sink.next()
            assert accounts.differences() == ()
        finally:
            assert gateway.stop() == 0
        assert sink.is_untouched
    assert (again, {refused["event"], arrived["event"]}) == (refused, {"first_usage", "first_microdollar_usage"})
    assert {one["distinct_id"] for one in (refused, arrived)} == {account.email}
    assert set(sink.paths) == {"/capture/"}
    cost = arrived["properties"].pop("cost_mUsd")
    assert cost > 0
    assert arrived["properties"].items() >= {"model": "sim/story", "has_payment_method": False}.items()
