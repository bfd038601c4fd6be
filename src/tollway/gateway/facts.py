"""From what was read of an answer to the facts that decide its charge."""

from tollway.gateway.reply import AnswerFacts
from tollway.wire.answer import Answer
from tollway.wire.scan import StreamScanner


def facts_of_answer(answer: Answer, status: int) -> AnswerFacts:
    return AnswerFacts(
        message_id=answer.message_id,
        model=answer.model,
        inference_provider=answer.inference_provider,
        finish_reason=answer.finish_reason,
        usage=answer.usage,
        has_error=answer.has_error or status >= 400,
        has_output=answer.has_output,
        text_bytes=answer.text_bytes,
    )


def facts_of_unseen(answer: Answer) -> AnswerFacts:
    """Of an answer that broke and is not shown: what the upstream bills for it, and that the caller got nothing."""
    return AnswerFacts(answer.message_id, answer.model, answer.inference_provider, usage=answer.usage, has_error=True)


def facts_of_stream(scanner: StreamScanner) -> AnswerFacts:
    return AnswerFacts(
        message_id=scanner.message_id,
        model=scanner.model,
        inference_provider=scanner.inference_provider,
        finish_reason=scanner.finish_reason,
        usage=scanner.usage,
        has_error=scanner.has_error,
        has_output=scanner.has_output,
        output_units=scanner.deltas,
    )
