"""What a person asks: words, standard input and files become the content of one message.

Source: catalog-and-clients D.4.3.
"""

from base64 import b64encode
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from tollway.client.errors import ClientError
from tollway.wire.dialects.content import PDF, data_url, sniffed_image_type
from tollway.wire.json_body import JsonObject

IMAGE_TYPES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_PDF_BEGINS: Final = b"%PDF-"
_SNIFFED_BYTES: Final = 18
_ARGUMENTS: Final = "$ARGUMENTS"


class Attachment(Struct, frozen=True):
    """A file as it was read; `name` is what the model is told of its path."""

    name: str
    data: bytes

    def __repr__(self) -> str:
        return "Attachment(…)"


def message_text(words: Sequence[str], piped: str) -> str:
    """The words joined by blanks, none of them quoted anew; then, on a line of its own, what came through a pipe.

    Raises ClientError when there is nothing.
    """
    typed = " ".join(words)
    parts = [one for one in (typed, piped) if one.strip()]
    if not parts:
        raise ClientError("there is nothing to ask: give a message, or pipe one in")
    return "\n".join(parts)


def filled_template(template: str, text: str) -> str:
    """A command's text with what the person wrote in its place, or behind it where it names none."""
    if _ARGUMENTS in template:
        return template.replace(_ARGUMENTS, text)
    return f"{template}\n\n{text}" if text else template


def content_of(text: str, attachments: Sequence[Attachment]) -> str | list[JsonObject]:
    """The content of a user's message: plain text, or the files and then the text. Raises ClientError."""
    if not attachments:
        return text
    return [*map(_part, attachments), {"type": "text", "text": text}]


def _part(one: Attachment) -> JsonObject:
    """What its first bytes say it is; the name is never asked."""
    head = b64encode(one.data[:_SNIFFED_BYTES]).decode()
    media_type = sniffed_image_type(head)
    if media_type in IMAGE_TYPES:
        return {"type": "image_url", "image_url": {"url": data_url(media_type, b64encode(one.data).decode())}}
    if one.data.startswith(_PDF_BEGINS):
        file = {"filename": one.name, "file_data": data_url(PDF, b64encode(one.data).decode())}
        return {"type": "file", "file": file}
    text = as_text(one.data)
    if media_type or text is None:
        raise ClientError(f"{one.name}: is neither text, nor a PDF, nor an image (PNG, JPEG, GIF, WebP)")
    return {"type": "text", "text": f"File {one.name}:\n{text}"}


def as_text(data: bytes) -> str | None:
    """UTF-8 text; None for anything else."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text
