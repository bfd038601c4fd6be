"""The stand-in's endpoints: which answer a request gets. A path counts by its ending, so any base path works."""

from hmac import compare_digest
from typing import Final
from urllib.parse import parse_qs

from tollway.sim.chat import Chat, ChatEndpoint
from tollway.sim.generation import encode_generation
from tollway.sim.head import JSON, encode_response
from tollway.sim.inbound import Inbound
from tollway.sim.models import encode_models
from tollway.sim.options import SimOptions
from tollway.sim.record import AnswerRecord, LookupRecord, encode_record
from tollway.sim.recorder import Recorder
from tollway.sim.refusal import Refusal, encode_refusal
from tollway.sim.steps import Leave

_METHODS: Final = {
    "/chat/completions": "POST",
    "/models": "GET",
    "/generation": "GET",
    "/sim/record": "GET",
    "/healthz": "GET",
}


class Service:
    """Everything the stand-in remembers between requests."""

    def __init__(self, options: SimOptions, recorder: Recorder) -> None:
        self.options, self.recorder = options, recorder
        self._chat = ChatEndpoint(options, recorder)
        self._models = encode_models()

    def serve(self, inbound: Inbound) -> bytes | Chat | Leave:
        """A whole response, the answer to a chat request, or how the connection is left without any. As at OpenRouter,
        listing models needs no key."""
        endpoint = next((suffix for suffix in _METHODS if inbound.path.endswith(suffix)), "")
        if not endpoint:
            return refuse(Refusal(404, f"no such path: {inbound.path}"), inbound.keep_alive)
        if inbound.method != _METHODS[endpoint]:
            return refuse(Refusal(405, f"{inbound.method} is not allowed here"), inbound.keep_alive)
        if endpoint == "/chat/completions":
            return self._chat.answer(inbound, self._check_key(inbound))
        return self._look_up(endpoint, inbound)

    def _look_up(self, endpoint: str, inbound: Inbound) -> bytes | Leave:
        match endpoint:
            case "/models":
                return encode_response(200, JSON, self._models, keep_alive=inbound.keep_alive)
            case "/generation":
                return self._look_up_generation(inbound)
            case "/sim/record":
                lines = b"".join(map(encode_record, self.recorder.records()))
                return encode_response(200, "application/jsonl", lines, keep_alive=inbound.keep_alive)
            case _:
                return encode_response(200, JSON, b'{"status":"ok"}', keep_alive=inbound.keep_alive)

    def _look_up_generation(self, inbound: Inbound) -> bytes | Leave:
        answer_id = parse_qs(inbound.query).get("id", [""])[0]
        told = self._check_key(inbound) or self._tell(answer_id)
        status = 0 if told is Leave.RESET else told.status if isinstance(told, Refusal) else 200
        self.recorder.add(LookupRecord(answer_id, self.options.now(), status, inbound.query))
        if isinstance(told, Leave):
            return told
        if isinstance(told, Refusal):
            return refuse(told, inbound.keep_alive)
        return encode_response(status, JSON, encode_generation(told), keep_alive=inbound.keep_alive)

    def _tell(self, answer_id: str) -> AnswerRecord | Refusal | Leave:
        wanted = self._chat.next_lookup(answer_id)
        if wanted == "reset":
            return Leave.RESET
        if wanted is not None:
            return Refusal(wanted, f"The stand-in was told to answer {wanted}.")
        return self.recorder.find_answer(answer_id) or Refusal(404, f"Generation {answer_id} not found")

    def _check_key(self, inbound: Inbound) -> Refusal | None:
        if self.options.no_auth:
            return None
        scheme, _, key = (inbound.header("authorization") or "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            return Refusal(401, "No auth credentials found")
        if self.options.key is not None and not compare_digest(key.strip().encode(), self.options.key.encode()):
            return Refusal(401, "User not found.")
        return None


def refuse(refusal: Refusal, keep_alive: bool) -> bytes:
    """A whole response that says no."""
    return encode_response(refusal.status, JSON, encode_refusal(refusal), keep_alive=keep_alive)
