"""Turns: what the record says of an answer that got so far."""

from tollway.sim.control import PLAIN, Control, Fault
from tollway.sim.models import find_model
from tollway.sim.plan import make_draft
from tollway.sim.request import ChatRequest
from tollway.sim.turn import Turn


def turn(control: Control = PLAIN, *, sent: bool = True, drafted: bool = True) -> Turn:
    draft = make_draft(ChatRequest("sim/story", []), find_model("sim/story"), control, "gen-1", 5, 10)
    return Turn("gen-1", 5.0, "r-1", "sim/story", True, draft=draft if drafted else None, sent_anything=sent)


def test_tokens_sent_are_priced() -> None:
    part = turn()
    part.completion_tokens, part.sent_at = 4, 5.25
    record = part.end("client_gone", 6.0)
    assert (record.prompt_tokens, record.completion_tokens, record.cost) == (10, 4, "0.000011")
    assert (record.finish_reason, record.latency_ms, record.generation_ms) == (None, 250.0, 1000.0)
    assert part.ended


def test_nothing_sent_costs_nothing() -> None:
    for unserved in (turn(sent=False), turn(drafted=False)):
        record = unserved.end("refused", 6.0)
        assert (record.prompt_tokens, record.cost, record.finish_reason) == (0, "0", None)


def test_finish_reasons() -> None:
    assert turn().end("complete", 6.0).finish_reason == "stop"
    assert turn().end("error_event", 6.0).finish_reason == "error"
    assert turn(Control(fault=Fault.EMPTY)).end("complete", 6.0).finish_reason is None
