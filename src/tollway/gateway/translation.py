"""What a request becomes for an upstream that does not speak Chat Completions, and what makes its answer one.

Source: response-path 5.
"""

from collections.abc import Awaitable
from functools import partial
from typing import TypeAlias

from msgspec import Struct

from tollway.gateway.dialects import Dialects
from tollway.gateway.exchange import Exchange
from tollway.gateway.phases import PhaseMemory
from tollway.gateway.rewriting_relay import Translation
from tollway.observability.logs import get_log
from tollway.providers.provider import MESSAGES
from tollway.routing.plan import Candidate
from tollway.wire.dialects.anthropic_answer_to_chat import AnthropicToChatStream, anthropic_answer_to_chat
from tollway.wire.dialects.chat_request_to_anthropic import chat_to_anthropic
from tollway.wire.dialects.chat_request_to_responses import ResponsesDraft, chat_to_responses
from tollway.wire.dialects.parameters import ModelOptions, Parameters, read_parameters
from tollway.wire.dialects.refusal import Refusal
from tollway.wire.dialects.responses_answer_to_chat import responses_answer_to_chat
from tollway.wire.dialects.responses_stream_to_chat import ResponsesToChatStream
from tollway.wire.json_body import JsonObject

_log = get_log()


class Translated(Struct, frozen=True):
    """The request as it is sent, with the headers that its dialect wants, and how its answer is read."""

    body: JsonObject
    headers: dict[str, str]
    answer: Translation


Result: TypeAlias = Translated | Refusal


def translate(
    exchange: Exchange, dialects: Dialects, candidate: Candidate, body: JsonObject
) -> Result | Awaitable[Result]:
    """For a candidate whose provider `is_translated`. body: as for an upstream that speaks Chat Completions; it is not
    edited."""
    options = _options(exchange, body)
    agent = exchange.inbound.headers.get(b"user-agent", b"").decode("latin-1")
    parameters = read_parameters(body, options, agent, dialects.legacy_client_prefix)
    if candidate.upstream.provider.dialect == MESSAGES:
        return _to_messages(body, options, parameters, dialects)
    draft = chat_to_responses(body, options, parameters, dialects.openai)
    if isinstance(draft, Refusal):
        return draft
    if dialects.openai.has_phases(candidate.upstream.base_url):
        return _with_phases(exchange, dialects.phases, draft, options, parameters)
    return _to_responses(exchange, dialects.phases, draft.body, options, parameters)


def _options(exchange: Exchange, body: JsonObject) -> ModelOptions:
    """Of the row; a hosted model has none, and reasons (request-path 8.5.3)."""
    if exchange.own is not None and exchange.own.options is not None:
        return exchange.own.options
    return ModelOptions(exchange.model.id, str(body["model"]), force_reasoning=True)


def _to_messages(body: JsonObject, options: ModelOptions, parameters: Parameters, dialects: Dialects) -> Result:
    asked = chat_to_anthropic(body, options, parameters, dialects.anthropic)
    if isinstance(asked, Refusal):
        return asked
    name = options.public_id
    answer = Translation(partial(AnthropicToChatStream, name), partial(anthropic_answer_to_chat, public_id=name))
    return Translated(asked.body, dict(asked.headers), answer)


async def _with_phases(
    exchange: Exchange, phases: PhaseMemory, draft: ResponsesDraft, options: ModelOptions, parameters: Parameters
) -> Result:
    keys = draft.phase_keys(exchange.caller.user_id, exchange.context.task_id)
    found = await phases.find(keys)
    missing = len(set(keys)) - len(found)
    if missing:
        _log.info("phases_missing", request_id=exchange.id, messages=missing)
    return _to_responses(exchange, phases, draft.with_phases(keys, found), options, parameters)


def _to_responses(
    exchange: Exchange, phases: PhaseMemory, body: JsonObject, options: ModelOptions, parameters: Parameters
) -> Result:
    name, is_legacy = options.public_id, parameters.is_legacy
    user_id, task_id = exchange.caller.user_id, exchange.context.task_id
    answer = Translation(
        lambda: PhaseNoter(phases, name, is_legacy, user_id, task_id),
        lambda whole: responses_answer_to_chat(whole, name, is_legacy),
    )
    return Translated(body, {}, answer)


class PhaseNoter(ResponsesToChatStream):
    """Notes the phases of a stream's messages as they are told."""

    __slots__ = ("_memory",)

    def __init__(self, memory: PhaseMemory, public_id: str, is_legacy: bool, user_id: str, task_id: str | None) -> None:
        super().__init__(public_id, is_legacy, user_id, task_id)
        self._memory = memory

    def feed(self, data: bytes) -> bytes:
        told = super().feed(data)
        if self.phases:
            self._memory.note(self.phases)
            self.phases = {}
        return told
