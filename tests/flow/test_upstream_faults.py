"""Every fault of the stand-in, streamed and not: what the client sees, who pays what, and how often it was tried.

The charge of a row is named by a function of what the stand-in itself recorded, so that nothing here is worked out the
way the gateway does it. `plain/story` is charged tokens times price (2 and 8 µ$ a token), `sim/story` what is reported.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from flow.accounts import Account, Accounts
from flow.conversation import PROMPT, Answer, ask, chat
from flow.programs import Gateway, Sim
from flow.quick import Aftermath, aftermath

Charge = Callable[[Aftermath], int]
INTERNALS = ("Traceback", "Error(", "127.0.0.1", "sk-fake", ".py", "asyncio")
SAID_BYTES = len(PROMPT) + len("user")


def nothing(_: Aftermath) -> int:
    return 0


def tokens(after: Aftermath) -> int:
    """What the stand-in generated, at the price of `plain/story`."""
    prompt, completion = after.tokens
    return 2 * prompt + 8 * completion


def generated(after: Aftermath) -> int:
    """What the stand-in generated, at its own price."""
    return after.generated


def estimated(completion: int) -> Charge:
    """The least that can have been used: a token per eight bytes of prompt, and one per event with output."""
    return lambda _: 2 * (SAID_BYTES // 8) + 8 * completion


@dataclass(frozen=True)
class Row:
    """One fault. `ends`: done (with `[DONE]`), whole (without), error (one error event), or a status with JSON."""

    name: str
    sim: Mapping[str, Any]
    ends: str | int
    basis: str | None = "reported"
    charge: Charge = tokens
    absorbed: Charge = nothing
    attempts: int = 1


def _usage(mode: str, basis: str, charge: Charge) -> Row:
    return Row(f"usage_{mode}", {"usage": mode}, "done", basis, charge)


CUT = estimated(3)
ALL = estimated(24)
STREAMED = (
    Row("nothing", {}, "done"),
    Row("stall", {"fault": "stall"}, "error", "interrupted", CUT),
    Row("stall_headers", {"fault": "stall_headers"}, 504, None, nothing),
    Row("drip", {"fault": "drip"}, "error", "interrupted", CUT),
    Row("reset", {"fault": "reset"}, "error", "interrupted", CUT),
    Row("reset_at_once", {"fault": "reset", "at": 0}, "error", "absorbed", nothing),
    Row("reset_before", {"fault": "reset_before"}, 502, None, nothing, attempts=2),
    Row("close_before", {"fault": "close_before"}, 502, None, nothing, attempts=2),
    Row("half_close", {"fault": "half_close"}, "error", "interrupted", CUT),
    Row("cut", {"fault": "cut"}, "error", "interrupted", CUT),
    Row("end_early", {"fault": "end_early"}, "error", "interrupted", CUT),
    Row("end_early_with_usage", {"fault": "end_early", "usage": "every"}, "error", "interrupted"),
    Row("reset_with_usage", {"fault": "reset", "usage": "every"}, "error", "interrupted"),
    Row("garbage", {"fault": "garbage"}, "done"),
    Row("bad_json", {"fault": "bad_json"}, "done"),
    Row("bad_chunking", {"fault": "bad_chunking"}, "error", "interrupted", CUT),
    Row("short_length", {"fault": "short_length"}, "done"),
    Row("long_length", {"fault": "long_length"}, "done"),
    Row("both_lengths", {"fault": "both_lengths"}, 502, None, nothing),
    Row("after_done", {"fault": "after_done"}, "done"),
    Row("long_line", {"fault": "long_line"}, "error", "interrupted", CUT),
    Row(
        "endless",
        {"fault": "endless", "delay_ms": 100, "tokens_per_chunk": 1},
        "error",
        "interrupted",
        lambda a: a.spent,
    ),
    Row("error_event", {"fault": "error_event"}, "error", "interrupted", CUT),
    Row("error_event_at_once", {"fault": "error_event", "at": 0}, "error", "absorbed", nothing),
    Row("big_headers", {"fault": "big_headers"}, 502, None, nothing),
    Row("many_1xx", {"fault": "many_1xx"}, 502, None, nothing),
    Row("redirect", {"fault": "redirect"}, 502, "absorbed", nothing),
    Row("not_http", {"fault": "not_http"}, 502, None, nothing),
    Row("empty", {"fault": "empty"}, "done", "absorbed", nothing),
    Row("no_done", {"fault": "no_done"}, "whole"),
    Row("hang_after_done", {"fault": "hang_after_done"}, "done"),
    Row("gzip", {"content_encoding": "gzip"}, "done"),
    Row("gzip_reset", {"content_encoding": "gzip", "fault": "reset"}, "error", "interrupted", CUT),
    Row("single_bytes", {"split": 1}, "done"),
    Row("crlf", {"line_end": "crlf"}, "done"),
    Row("cr", {"line_end": "cr"}, "done"),
    Row("cr_single_bytes", {"line_end": "cr", "split": 1}, "done"),
    Row("bom", {"bom": True}, "done"),
    Row("bom_single_bytes", {"bom": True, "split": 1}, "done"),
    Row("comments", {"comments": True}, "done"),
    Row("odd_status", {"status": 700}, 502, "absorbed", nothing),
    Row("no_content", {"status": 204}, 502, "absorbed", nothing),
    Row("moved", {"status": 302}, 502, "absorbed", nothing),
    _usage("omit", "estimated", ALL),
    _usage("null", "estimated", ALL),
    _usage("nulls", "reported", tokens),
    _usage("twice", "reported", tokens),
    _usage("every", "reported", tokens),
    _usage("negative", "estimated", ALL),
    _usage("float", "estimated", ALL),
    _usage("string", "estimated", ALL),
    _usage("huge", "estimated", ALL),
)
SAID = estimated(17)  # 24 words of the stand-in's tale are 136 bytes and more
WHOLE = (
    Row("nothing", {}, 200),
    Row("stall", {"fault": "stall"}, 504, "absorbed", nothing),
    Row("stall_headers", {"fault": "stall_headers"}, 504, None, nothing),
    Row("drip", {"fault": "drip"}, 504, "absorbed", nothing),
    Row("reset", {"fault": "reset"}, 502, "absorbed", nothing),
    Row("reset_before", {"fault": "reset_before"}, 502, None, nothing, attempts=2),
    Row("close_before", {"fault": "close_before"}, 502, None, nothing, attempts=2),
    Row("half_close", {"fault": "half_close"}, 502, "absorbed", nothing),
    Row("cut", {"fault": "cut"}, 502, "absorbed", nothing),
    Row("end_early", {"fault": "end_early"}, 502, "absorbed", nothing),
    Row("garbage", {"fault": "garbage"}, 502, "absorbed", nothing),
    Row("bad_json", {"fault": "bad_json"}, 502, "absorbed", nothing),
    Row("bad_chunking", {"fault": "bad_chunking"}, 502, "absorbed", nothing),
    Row("short_length", {"fault": "short_length"}, 502, "absorbed", nothing, tokens),
    Row("long_length", {"fault": "long_length"}, 200),
    Row("both_lengths", {"fault": "both_lengths"}, 502, None, nothing),
    Row("after_done", {"fault": "after_done"}, 200),
    Row("long_line", {"fault": "long_line"}, 200),
    Row("endless", {"fault": "endless"}, 502, "absorbed", nothing),
    Row("error_event", {"fault": "error_event"}, 200, "absorbed", nothing),
    Row("big_headers", {"fault": "big_headers"}, 502, None, nothing),
    Row("many_1xx", {"fault": "many_1xx"}, 502, None, nothing),
    Row("redirect", {"fault": "redirect"}, 502, "absorbed", nothing),
    Row("not_http", {"fault": "not_http"}, 502, None, nothing),
    Row("empty", {"fault": "empty"}, 200, "absorbed", nothing, tokens),
    Row("hang_after_done", {"fault": "hang_after_done"}, 504, "absorbed", nothing, tokens),
    Row("gzip", {"content_encoding": "gzip"}, 200),
    Row("gzip_cut", {"content_encoding": "gzip", "fault": "cut"}, 502, "absorbed", nothing),
    Row("single_bytes", {"split": 1}, 200),
    Row("odd_status", {"status": 700}, 502, "absorbed", nothing),
    Row("no_content", {"status": 204}, 502, "absorbed", nothing),
    Row("moved", {"status": 302}, 502, "absorbed", nothing),
    Row("usage_omit", {"usage": "omit"}, 200, "estimated", SAID),
    Row("usage_null", {"usage": "null"}, 200, "estimated", SAID),
    Row("usage_negative", {"usage": "negative"}, 200, "estimated", SAID),
    Row("usage_float", {"usage": "float"}, 200, "estimated", SAID),
    Row("usage_string", {"usage": "string"}, 200, "estimated", SAID),
    Row("usage_huge", {"usage": "huge"}, 200, "estimated", SAID),
)


def by_name(row: Row) -> str:
    return row.name


@pytest.mark.parametrize("row", STREAMED, ids=by_name)
def test_a_stream(quick: Gateway, quick_accounts: Accounts, quick_account: Account, sim: Sim, row: Row) -> None:
    answer = ask(quick, quick_account, chat("plain/story", True, row.sim))
    check(answer, row)
    check_books(aftermath(quick_accounts, quick_account, sim, answer.request_id), row)


@pytest.mark.parametrize("row", WHOLE, ids=by_name)
def test_a_whole_answer(quick: Gateway, quick_accounts: Accounts, quick_account: Account, sim: Sim, row: Row) -> None:
    answer = ask(quick, quick_account, chat("plain/story", False, row.sim))
    check(answer, row)
    after = aftermath(quick_accounts, quick_account, sim, answer.request_id)
    check_books(after, row)
    if answer.status == 200:
        assert int(answer.headers["x-tollway-charge-microdollars"]) == after.spent
        assert answer.headers["x-tollway-charge-basis"] == row.basis


COSTS = (
    Row("nothing", {}, "done", charge=generated),
    Row("named", {"cost": 0.00012345}, "done", charge=lambda _: 123),
    Row("half", {"cost": 0.0000125}, "done", charge=lambda _: 13),
    Row("zero", {"cost": 0}, "done", charge=nothing),
    Row("not_said", {"cost": None}, "done", charge=generated),
    Row("negative", {"cost": -1}, "done", charge=generated),
    Row(
        "in_the_millions",
        {"cost": 1000000},
        "done",
        "estimated",
        generated,
    ),
    Row("cut_with_usage", {"fault": "reset", "usage": "every"}, "error", "interrupted", generated),
    Row("twice", {"usage": "twice"}, "done", charge=generated),
)


@pytest.mark.parametrize("row", COSTS, ids=by_name)
def test_a_reported_cost(quick: Gateway, quick_accounts: Accounts, quick_account: Account, sim: Sim, row: Row) -> None:
    answer = ask(quick, quick_account, chat("sim/story", True, row.sim))
    check(answer, row)
    check_books(aftermath(quick_accounts, quick_account, sim, answer.request_id), row)


def test_nobody_waits_for_what_follows_done(quick: Gateway, quick_account: Account) -> None:
    """The connection to an upstream that never ends its framing is closed, not used again."""
    for _ in range(3):
        assert ask(quick, quick_account, chat("plain/story", True, {"fault": "hang_after_done"})).is_done
        assert ask(quick, quick_account, chat("plain/story", True)).is_done


def test_bytes_after_an_answer_never_reach_anyone(quick: Gateway, quick_account: Account) -> None:
    for fault in ("long_length", "after_done"):
        for stream in (True, False):
            for sim in ({"fault": fault}, {}):
                answer = ask(quick, quick_account, chat("sim/story", stream, sim))
                assert answer.status == 200
                assert b"fake" not in answer.body
                assert b"stray" not in answer.body


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/gateway/chat/completions"])
def test_what_an_upstream_says_of_its_failure_is_shown_redacted(
    quick: Gateway, quick_account: Account, path: str
) -> None:
    said = {
        "error": {"message": "key sk-live-0123456789abcdef is wrong", "code": "bad_key", "type": "auth", "secret": "no"}
    }
    for status in (400, 401, 403, 404, 413, 422, 451, 500, 503):
        body = chat(sim={"status": status, "error_body": json.dumps(said), "key": "once"})
        answer = ask(quick, quick_account, body, path)
        assert answer.status == status
        error = answer.json["error"]
        assert (error["message"], error["code"], error["type"]) == ("key sk-*** is wrong", "bad_key", "auth")
        assert "secret" not in error
        assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "said", ["", "<html>nginx at 10.1.2.3</html>", "[1]", '{"detail":"x"}', '{"error":{"message":""}}']
)
def test_an_error_that_is_no_json_is_told_in_our_words(quick: Gateway, quick_account: Account, said: str) -> None:
    answer = ask(quick, quick_account, chat(sim={"status": 418, "error_body": said}))
    assert answer.status == 418
    assert answer.json["error"]["message"] == "The upstream provider answered with an error."


def test_an_operators_empty_account_is_not_the_callers_business(
    quick: Gateway, quick_accounts: Accounts, quick_account: Account, sim: Sim
) -> None:
    body = chat(sim={"status": 402, "error_body": '{"error":{"message":"out of credits","code":402}}'})
    answer = ask(quick, quick_account, body, "/api/openrouter/chat/completions")
    assert (answer.status, answer.json) == (
        503,
        {
            "error": "Service Unavailable",
            "message": "The service is temporarily unavailable. Please try again later.",
        },
    )
    assert int(answer.headers["retry-after"]) >= 1
    after = aftermath(quick_accounts, quick_account, sim, answer.request_id)
    assert (after.spent, after.held, len(after.attempts)) == (0, 0, 1)


def check(answer: Answer, row: Row) -> None:
    assert answer.whole, answer.body[-200:]
    said = answer.body.decode("utf-8", "replace")
    assert not [word for word in INTERNALS if word in said]
    if isinstance(row.ends, int):
        assert answer.status == row.ends, said
        if row.ends >= 400:
            error = answer.json["error"]
            assert error["request_id"] == answer.request_id
            assert set(error) == {"message", "type", "code", "request_id"}
        return
    assert answer.status == 200, said
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.is_done == (row.ends == "done")
    assert len(answer.errors) == (row.ends == "error"), said[-500:]
    if row.ends == "error":
        last = json.loads(answer.data[-1])
        assert last["error"]["message"]
        assert last["choices"][0]["finish_reason"] == "error"


def check_books(after: Aftermath, row: Row) -> None:
    assert len(after.attempts) == row.attempts
    assert after.held == 0
    assert after.spent == row.charge(after)
    assert after.row
    if row.basis is None:  # an upstream has seen it and never answered: it has its outcome, and costs nobody anything
        assert (after.row.basis, after.row.cost, after.row.absorbed) == ("absorbed", 0, 0)
        return
    assert (after.row.basis, after.row.cost, after.row.absorbed) == (row.basis, after.spent, row.absorbed(after))
    if row.basis == "interrupted":
        assert after.spent <= tokens(after), "more than was generated"
