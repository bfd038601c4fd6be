"""A whole answer of OpenAI's Responses API → a Chat Completions answer, and an error → one. Never raises.

Source: response-path 5.8, 5.11 and 5.12.
"""

from msgspec import MsgspecError
from msgspec.json import format as compact

from tollway.wire.dialects.chat_output import ChatMessage, usage_member
from tollway.wire.dialects.details import OPENAI
from tollway.wire.dialects.reading import as_list, as_object, as_text
from tollway.wire.dialects.refusal import error_body, provider_error_body
from tollway.wire.dialects.responses_facts import USAGE_SHAPE, error_of, finish_reason, read_answer, usage_of
from tollway.wire.json_body import JsonObject


def responses_answer_to_chat(body: bytes, public_id: str, is_legacy: bool = False) -> bytes:
    """A whole Responses answer as a chat answer; b"" when it is none, and so no answer at all.

    What reports an error with a status of success becomes an error body.
    """
    answer = read_answer(body)
    if answer is None:
        return b""
    if answer.has_error:
        error = error_of(body)
        return error_body(error.message, error.status)
    if not isinstance(answer.output, list):
        return b""
    message = ChatMessage(is_legacy)
    for item in answer.output:
        _add(message, as_object(item))
    return message.answer(
        as_text(answer.id),
        public_id,
        finish_reason(answer, message.has_tool_calls),
        usage_member(usage_of(answer), USAGE_SHAPE),
    )


def responses_error_to_chat(body: bytes, status: int) -> bytes:
    """The body of an answer that failed, as a chat client is told of it. status: the provider's, which stays."""
    return provider_error_body(body, status)


def _add(message: ChatMessage, item: JsonObject) -> None:
    kind = item.get("type")
    if kind == "message":
        for part in as_list(item.get("content")):
            _add_part(message, as_object(part))
    elif kind == "function_call":
        arguments = _compact(as_text(item.get("arguments")))
        message.call(as_text(item.get("call_id")), as_text(item.get("name")), arguments)
    elif kind == "reasoning":
        id_, sealed = as_text(item.get("id")) or None, as_text(item.get("encrypted_content"))
        parts = as_list(item.get("summary")) or as_list(item.get("content")) or [{}]  # proof comes with a part
        for part in parts:
            message.reasoning(as_text(as_object(part).get("text")), None, id_, OPENAI)
            if sealed:
                message.encrypted(sealed, OPENAI, id_)


def _compact(arguments: str) -> str:
    """JSON without its white space, its numbers as they were written; what is no JSON as it is."""
    try:
        return compact(arguments, indent=-1)
    except (MsgspecError, ValueError, RecursionError):
        return arguments


def _add_part(message: ChatMessage, part: JsonObject) -> None:
    if part.get("type") == "output_text":
        message.text(as_text(part.get("text")))
    elif part.get("type") == "refusal":
        message.refusal(as_text(part.get("refusal")))
