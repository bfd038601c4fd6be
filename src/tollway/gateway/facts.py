"""From what was read of an answer to the facts that decide its charge."""

from msgspec.structs import replace

from tollway.wire.answer import Answer
from tollway.wire.scan import StreamScanner


def facts_of_answer(answer: Answer, status: int) -> Answer:
    return answer if status < 400 else replace(answer, has_error=True)


def facts_of_unseen(answer: Answer) -> Answer:
    """Of an answer that broke and is not shown: what the upstream bills for it, and that the caller got nothing."""
    return Answer(answer.message_id, answer.model, answer.inference_provider, usage=answer.usage, has_error=True)


def facts_of_stream(scanner: StreamScanner) -> Answer:
    return Answer(
        message_id=scanner.message_id,
        model=scanner.model,
        inference_provider=scanner.inference_provider,
        finish_reason=scanner.finish_reason,
        usage=scanner.usage,
        has_error=scanner.has_error,
        has_output=scanner.has_output,
        output_units=scanner.deltas,
    )
