import json
from typing import Any

import pytest

from tollway.gateway.reply import NO_FACTS, Reply
from tollway.gateway.report_refusal import report_refusal
from tollway.observability.logs import RequestLog
from tollway.routing.precedence import OwnRoute
from tollway.settings import parse
from unit.gateway.fakes import OWN, candidate, services
from unit.gateway.stages.test_send_upstream import ready


def reported(
    status: int, body: bytes = b"no", log_level: str = "info", own: OwnRoute | None = None
) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    log = RequestLog(lambda written: lines.extend(map(json.loads, written.splitlines())), lambda _: None)
    one = ready()
    one.own = own
    reply = Reply(candidate(), status, NO_FACTS, body=body, content_type=b"text/plain")
    report_refusal(one, services(request_log=log, settings=parse({"log_level": log_level})), reply)
    log.flush()
    return lines


def test_who_was_refused_what_and_why() -> None:
    [line] = reported(418, b"short and stout sk-0123456789ab")
    assert line.pop("time")
    assert line == {
        "event": "upstream_refused",
        "level": "warning",
        "request_id": "request-1",
        "message": "sim returned error 418",
        "user": "user-1",
        "organization": None,
        "model": "vendor/name",
        "status": 418,
        "content_type": "text/plain",
        "detail": "short and stout sk-***",
    }


@pytest.mark.parametrize(("status", "level"), [(400, "warning"), (499, "warning"), (500, "error"), (503, "error")])
def test_whose_fault_it_is_decides_the_level(status: int, level: str) -> None:
    assert [line["level"] for line in reported(status)] == [level]


def test_an_empty_account_is_an_alarm() -> None:
    refused, alarm = reported(402)
    assert (refused["level"], refused["message"]) == ("warning", "sim returned 402 Payment Required")
    assert (alarm["event"], alarm["level"]) == ("operator_must_pay", "error")
    assert len(reported(402, own=OWN)) == 1  # somebody else's account


def test_who_wants_errors_only_gets_these() -> None:
    assert reported(404, log_level="error") == []
    assert [line["event"] for line in reported(402, log_level="error")] == ["operator_must_pay"]
    assert len(reported(500, log_level="error")) == 1
