"""`POST /chat/completions`: read a request and its controls, record it, and plan its answer."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from typing import Final

from tollway.sim.control import (
    PLAIN,
    Control,
    Fault,
    parse_control,
    read_body_key,
    read_header,
    split_model_id,
)
from tollway.sim.inbound import Inbound
from tollway.sim.models import find_model
from tollway.sim.options import SimOptions
from tollway.sim.plan import make_draft, plan_answer, plan_refusal, plan_replay, refusal_asked_for
from tollway.sim.record import RequestRecord, mask_key
from tollway.sim.recorder import Recorder
from tollway.sim.refusal import Refusal
from tollway.sim.request import ChatRequest, count_prompt_tokens, parse_request
from tollway.sim.steps import Step
from tollway.sim.turn import Turn
from tollway.sim.values import Lookup

_FAILURE_KEYS_MAX: Final = 10_000
_JSON_TOKENS_MAX: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Chat:
    """An answer, ready to be played."""

    turn: Turn
    steps: Iterator[Step]
    control: Control


class ChatEndpoint:
    """Plans answers; remembers ids given and failures used up."""

    def __init__(self, options: SimOptions, recorder: Recorder) -> None:
        self._options, self._recorder = options, recorder
        self._id_start = f"gen-{int(options.now() * 1_000_000):x}-"
        self._ids = count(1)
        self._failures: OrderedDict[str, int] = OrderedDict()
        self._lookups: OrderedDict[str, Iterator[Lookup]] = OrderedDict()

    def answer(self, inbound: Inbound, key_refusal: Refusal | None) -> Chat:
        """The answer to a request whose key was checked; it is recorded even if that check refused it."""
        answer_id, now = f"{self._id_start}{next(self._ids):x}", self._options.now()
        request, asked_as = key_refusal or parse_request(inbound.body), inbound.header("x-request-id")
        if isinstance(request, Refusal):
            turn = Turn(answer_id, now, asked_as, "", streamed=False)
            self._record(turn, inbound, 0)
            return _refuse(turn, request, inbound)
        model_id, suffix = split_model_id(request.model)
        control = self._read_control(suffix, request, inbound)
        if isinstance(control, Control) and control.id is not None:
            answer_id = control.id
        stream, prompt_tokens = bool(request.stream), count_prompt_tokens(request)
        turn = Turn(answer_id, now, asked_as, model_id, stream)
        self._record(turn, inbound, prompt_tokens)
        if isinstance(control, Refusal):
            return _refuse(turn, control, inbound)
        if control.lookups:
            self._lookups[answer_id] = iter(control.lookups)
            if len(self._lookups) > _FAILURE_KEYS_MAX:
                self._lookups.popitem(last=False)
        if refusal := refusal_asked_for(control):
            return _refuse(turn, refusal, inbound, control)
        if control.replay is not None:
            return self._replay(turn, control.replay, control, inbound)
        turn.draft = make_draft(request, find_model(model_id), control, answer_id, int(now), prompt_tokens)
        if not stream and control.fault is not Fault.ENDLESS and turn.draft.full_tally.completion > _JSON_TOKENS_MAX:
            turn.draft = None
            return _refuse(turn, Refusal(400, f"more than {_JSON_TOKENS_MAX} tokens can only be streamed"), inbound)
        return Chat(turn, plan_answer(turn.draft, inbound.keep_alive), control)

    def next_lookup(self, answer_id: str) -> Lookup | None:
        """What a look-up of this answer gets now; None: the truth."""
        return next(self._lookups.get(answer_id, iter(())), None)

    def _read_control(
        self, suffix: Mapping[str, bytes] | Refusal, request: ChatRequest, inbound: Inbound
    ) -> Control | Refusal:
        if isinstance(suffix, Refusal):
            return suffix
        value = inbound.header("x-sim")
        header = read_header(value) if value is not None else {}
        if isinstance(header, Refusal):
            return header
        control = parse_control((suffix, header, read_body_key(request.sim)))
        if isinstance(control, Refusal) or not control.fail_first:
            return control
        return control if self._fails(control) else control.without_failure()

    def _fails(self, control: Control) -> bool:
        failures = self._failures.get(control.key, 0)
        if failures >= control.fail_first:
            return False
        self._failures[control.key] = failures + 1
        if len(self._failures) > _FAILURE_KEYS_MAX:
            self._failures.popitem(last=False)
        return True

    def _replay(self, turn: Turn, name: str, control: Control, inbound: Inbound) -> Chat:
        folder = self._options.replay_dir
        path = folder / f"{name}.http" if folder else None
        if path is None or not path.is_file():
            return _refuse(turn, Refusal(400, f"no recorded answer {name!r}"), inbound)
        return Chat(turn, plan_replay(path.read_bytes(), control), control)

    def _record(self, turn: Turn, inbound: Inbound, prompt_tokens: int) -> None:
        record = RequestRecord(
            id=turn.id,
            time=turn.started_at,
            connection=inbound.connection,
            path=inbound.path,
            query=inbound.query,
            x_request_id=turn.x_request_id,
            model=turn.model,
            stream=turn.streamed,
            prompt_tokens=prompt_tokens,
            headers=[mask_key(header) for header in inbound.headers],
            body_sha256=sha256(inbound.body).hexdigest(),
            body_bytes=len(inbound.body),
        )
        self._recorder.add(record)


def _refuse(turn: Turn, refusal: Refusal, inbound: Inbound, control: Control = PLAIN) -> Chat:
    turn.status = refusal.status
    return Chat(turn, plan_refusal(refusal, control, inbound.keep_alive), control)
