"""What a Chat Completions answer says, chunk by chunk or whole, for those who retell it in another dialect."""

from typing import Final

from msgspec.json import encode

from tollway.wire.dialects.details import ENCRYPTED, TEXT, Detail, details_of
from tollway.wire.dialects.provider_error import ProviderError
from tollway.wire.dialects.reading import as_list
from tollway.wire.dialects.refusal import reason_phrase
from tollway.wire.json_body import JsonObject
from tollway.wire.upstream_error import read_error
from tollway.wire.usage import Usage, read_usage

FAILED: Final = 500  # the status of an error that names none


def first_choice(answer: JsonObject) -> JsonObject | None:
    """The only one that other dialects have a word for."""
    return next((one for one in as_list(answer.get("choices")) if isinstance(one, dict) and not one.get("index")), None)


def reasoning_of(holder: JsonObject) -> list[Detail]:
    """The reasoning details of a message or delta; where they have no text, the plain one comes first."""
    details = details_of(holder)
    plain = holder.get("reasoning") or holder.get("reasoning_content")
    if isinstance(plain, str) and plain and not any(one.content for one in details if one.kind != ENCRYPTED):
        return [Detail(TEXT, plain), *details]
    return details


def usage_of(answer: JsonObject) -> Usage | None:
    """None: not reported."""
    usage = answer.get("usage")
    return read_usage(encode(usage)) if isinstance(usage, dict) else None


def error_of(answer: JsonObject) -> ProviderError | None:
    """What an answer or chunk reports, and the status it names; None: no error."""
    error = answer.get("error")
    if not error:
        return None
    told = read_error(encode({"error": error}))
    code = told.labels.get("code")
    status = code if isinstance(code, int) and 400 <= code < 600 else FAILED
    return ProviderError(told.message or reason_phrase(status), status)
