"""Lines of the record: what was asked of the stand-in and what it really generated, one JSON object per line.

The record is the truth that a ledger is compared with: it counts tokens that were handed to the socket and their list
price, whatever the answer itself claimed.
"""

from typing import Final

import msgspec


class RequestRecord(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="request"):
    """A chat request, fully read. `x_request_id` is the header as received; times are seconds since 1970."""

    id: str
    time: float
    connection: int
    path: str
    query: str
    x_request_id: str | None
    model: str
    stream: bool
    prompt_tokens: int
    headers: list[tuple[str, str]]
    body_sha256: str
    body_bytes: int


class AnswerRecord(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="answer"):
    """An answer that ended. `cost` is USD at list price; `reported_usage` is the JSON text last sent, or None.

    ending: `complete`, `refused`, `client_gone`, or the name of the fault that stopped it.
    """

    id: str
    time: float
    x_request_id: str | None
    model: str
    streamed: bool
    status: int
    ending: str
    finish_reason: str | None
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    cost: str
    reported_usage: str | None
    latency_ms: float
    generation_ms: float


class LookupRecord(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="lookup"):
    """Somebody asked about the answer with this id, and got this status, 0: the connection was reset. `query` is the
    address's, as it came; the time is seconds since 1970."""

    id: str
    time: float
    status: int
    query: str = ""  # records of older versions have none


Record = RequestRecord | AnswerRecord | LookupRecord
_DECODER: Final = msgspec.json.Decoder(Record)
_ENCODER: Final = msgspec.json.Encoder()


def encode_record(record: Record) -> bytes:
    """One line, with its line end."""
    return _ENCODER.encode(record) + b"\n"


def decode_records(data: bytes) -> list[Record]:
    """All whole lines of a record file; a last line without line end was torn by a crash and is left out.

    Raises msgspec.MsgspecError if any other line is not a record: the file was damaged, not torn.
    """
    return [_DECODER.decode(line) for line in data[: whole_bytes(data)].splitlines()]


def whole_bytes(data: bytes) -> int:
    """Length of the part of a record file that ends in a line end."""
    return data.rfind(b"\n") + 1


def mask_key(header: tuple[str, str]) -> tuple[str, str]:
    """Of an Authorization header keep the last four characters, of a short one nothing; others stay as they are."""
    name, value = header
    if name.lower() != "authorization":
        return header
    return name, f"…{value[-4:]}" if len(value) > 8 else "…"
