import json
from typing import Any

from msgspec.structs import replace

from tollway.errors import Code, Problem
from tollway.gateway.closers import record_request
from tollway.gateway.exchange import Exchange
from tollway.gateway.reply import Reply
from tollway.observability.logs import RequestLog
from unit.gateway.closers.test_settle_funds import TOLD, outcome, served
from unit.gateway.fakes import candidate, exchange, services


def line_of(one: Exchange) -> Any:
    written: list[bytes] = []
    log = RequestLog(written.append, lambda *_: None)
    record_request.run(one, services(request_log=log))
    log.flush()
    return json.loads(b"".join(written))


def test_a_served_request() -> None:
    one = served(Reply(candidate(), 200, TOLD))
    one.client.status = 200
    one.attempts.append("sim:200")
    one.outcome = outcome("request-1")
    line = line_of(one)
    assert (line["request_id"], line["status"], line["user"], line["attempts"]) == (
        "request-1",
        200,
        "user-1",
        ["sim:200"],
    )
    assert (line["charge_microdollars"], line["basis"], line["completion_tokens"]) == (22, "reported", 2)
    assert "hello" not in json.dumps(line)


def test_an_auto_model_is_told_beside_what_it_stood_for() -> None:
    one = served(Reply(candidate(), 200, TOLD))
    assert line_of(one)["auto_model"] is None
    one.request = replace(one.request, auto_model="house/auto")
    assert (line_of(one)["auto_model"], line_of(one)["model"]) == ("house/auto", "vendor/name")


def test_a_request_that_came_to_nothing() -> None:
    one = exchange()
    one.client.gone = True
    one.problem = Problem(Code.CLIENT_GONE, "before it was sent")
    line = line_of(one)
    assert (line["status"], line["client_gone"], line["user"], line["model"]) == (499, True, None, None)
    assert (line["code"], line["detail"], line["basis"]) == ("client_gone", "before it was sent", None)
