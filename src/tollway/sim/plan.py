"""From a request to the steps of its answer: the whole life of an answer, top to bottom, without any I/O."""

from collections.abc import Iterator

from tollway.sim.answer import Draft, json_pieces, mark_strike, stream_pieces, with_running_usage
from tollway.sim.answer import halves as halve_body
from tollway.sim.control import Control, Fault, UsageMode
from tollway.sim.encoding import compress, spell_stream
from tollway.sim.faults import spoil_json, spoil_stream
from tollway.sim.framing import Reply, replay_steps, reply_steps
from tollway.sim.head import EVENTS, JSON
from tollway.sim.models import ScriptedModel
from tollway.sim.refusal import Refusal, encode_refusal
from tollway.sim.request import ChatRequest
from tollway.sim.script import write_script
from tollway.sim.segments import cut_once, cut_segments
from tollway.sim.steps import Step


def make_draft(
    request: ChatRequest, model: ScriptedModel, control: Control, answer_id: str, created: int, prompt_tokens: int
) -> Draft:
    """Decide everything the answer will say. created: seconds since 1970."""
    cached_tokens = (prompt_tokens + 1) // 2 if model.caches else 0
    return Draft(
        id=answer_id,
        created=created,
        model=model,
        script=write_script(request, model, control),
        control=control,
        prompt_tokens=prompt_tokens,
        cached_tokens=cached_tokens if control.cached_tokens is None else control.cached_tokens,
        choices=request.n or 1,
        stream=bool(request.stream),
        wants_usage=request.wants_usage,
    )


def plan_answer(draft: Draft, keep_alive: bool) -> Iterator[Step]:
    """Steps of a served answer."""
    control = draft.control
    pieces = stream_pieces(draft) if draft.stream else json_pieces(draft)
    if control.fault is not None:
        pieces = mark_strike(pieces, control.at)
        pieces = spoil_stream(draft, pieces) if draft.stream else spoil_json(draft, pieces)
    if draft.stream:
        if control.usage is UsageMode.EVERY:
            pieces = with_running_usage(draft, pieces)
        pieces = spell_stream(pieces, control)
    if control.content_encoding:
        pieces = compress(pieces, control)
    ending = Fault.ERROR_EVENT.value if control.fault is Fault.ERROR_EVENT else "complete"
    content_type = EVENTS if draft.stream else JSON
    return _cut(reply_steps(Reply(200, content_type, pieces, control, keep_alive, ending)), control)


def plan_refusal(refusal: Refusal, control: Control, keep_alive: bool) -> Iterator[Step]:
    """Steps of an answer that says no; every control that makes sense for a short JSON body still holds."""
    body = encode_refusal(refusal) if control.error_body is None else control.error_body.encode()
    pieces = mark_strike(halve_body(body), control.at) if control.fault else halve_body(body)
    reply = Reply(refusal.status, JSON, compress(pieces, control), control, keep_alive, "refused")
    return _cut(reply_steps(reply), control)


def plan_replay(recording: bytes, control: Control) -> Iterator[Step]:
    """Steps that send a recorded answer."""
    return _cut(replay_steps(recording, control), control)


def refusal_asked_for(control: Control) -> Refusal | None:
    """The refusal that a `status` or `error_body` control demands."""
    if control.error_body is None and control.status in (None, 200):
        return None
    status = control.status or 200
    return Refusal(status, f"The stand-in was told to answer {status}.")


def _cut(steps: Iterator[Step], control: Control) -> Iterator[Step]:
    if control.cut_at:
        return cut_once(steps, control.cut_at)
    return cut_segments(steps, control.split) if control.split else steps
