"""Content of chat messages as translators need it: texts, data URLs, media types, cache marks.

Source: response-path 5.3, 5.4.1 and 5.5.1.
"""

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote_to_bytes, urlsplit

from msgspec import Struct

from tollway.wire.json_body import JsonObject, JsonValue

ANY_IMAGE: Final = "image/*"
DEFAULT_IMAGE: Final = "image/jpeg"
UNKNOWN_TYPE: Final = "application/octet-stream"
PDF: Final = "application/pdf"
PLAIN_TEXT: Final = "text/plain"

_SIGNATURES: Final = (
    (0, b"\x89PNG", "image/png"),
    (0, b"\xff\xd8", "image/jpeg"),
    (0, b"GIF", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (0, b"BM", "image/bmp"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftypheic", "image/heic"),
)
_SNIFFED_BASE64_CHARS: Final = 24  # 18 bytes: more than any signature needs
_CONTROL_OR_SPACE: Final = frozenset(map(chr, range(0x21))) | {"\x7f"}


class DataUrl(Struct, frozen=True):
    """`media_type` is lower-case, without parameters; `data` is Base64 as it was written."""

    media_type: str
    data: str

    @property
    def image_type(self) -> str:
        """What its first bytes say, else what was declared."""
        sniffed = sniffed_image_type(self.data)
        if sniffed:
            return sniffed
        return DEFAULT_IMAGE if self.media_type == ANY_IMAGE else self.media_type

    @property
    def text(self) -> str | None:
        """The decoded text; None when it is not Base64."""
        try:
            return b64decode(self.data, validate=True).decode(errors="replace")
        except (Base64Error, ValueError):
            return None


def read_data_url(url: JsonValue) -> DataUrl | None:
    """`data:<media type>[;parameter…][;base64],<data>`; None for anything else."""
    if not isinstance(url, str) or url[:5].lower() != "data:":
        return None
    head, comma, data = url[5:].partition(",")
    if not comma:
        return None
    media_type, *parameters = head.split(";")
    if "base64" not in [one.strip().lower() for one in parameters]:
        data = b64encode(unquote_to_bytes(data)).decode()
    return DataUrl(media_type.strip().lower() or UNKNOWN_TYPE, data)


def data_url(media_type: str, data: str) -> str:
    return f"data:{media_type};base64,{data}"


def text_data_url(text: str) -> str:
    return data_url(PLAIN_TEXT, b64encode(text.encode()).decode())


def sniffed_image_type(data: str) -> str | None:
    """The media type of an image by its first bytes, given in Base64."""
    head = data[:_SNIFFED_BASE64_CHARS]
    try:
        begin = b64decode(head[: len(head) // 4 * 4])
    except (Base64Error, ValueError):
        return None
    for at, signature, media_type in _SIGNATURES:
        if begin.startswith(signature, at):
            return media_type
    return None


def web_url(url: JsonValue) -> str | None:
    """An absolute http or https URL, as it was written; None for anything else. It is never opened here."""
    if not isinstance(url, str) or not _CONTROL_OR_SPACE.isdisjoint(url):
        return None
    try:
        parts = urlsplit(url)
        return url if parts.scheme in ("http", "https") and parts.hostname else None
    except ValueError:
        return None


def parts_of(content: JsonValue) -> Iterator[JsonObject]:
    """The parts of a message's content; a string is one text part. Whatever is no object is none."""
    if isinstance(content, str):
        yield {"type": "text", "text": content}
    elif isinstance(content, list):
        yield from (part for part in content if isinstance(part, dict))


def text_of(part: JsonObject) -> str | None:
    """The text of a text part, which may be empty; None for another part."""
    if part.get("type") != "text":
        return None
    text = part.get("text")
    return text if isinstance(text, str) else ""


def message_text(content: JsonValue) -> str:
    """All its text, one part after the other with nothing between."""
    return "".join(text_of(part) or "" for part in parts_of(content))


def image_url_of(part: JsonObject) -> JsonValue:
    """The URL of an `image_url` part, whose member is an object or, in older clients, the URL itself."""
    image = part.get("image_url")
    return image.get("url") if isinstance(image, dict) else image


class File(Struct, frozen=True):
    """A `file` part. `data_url` None: `raw` is something else, a URL for instance."""

    raw: JsonValue
    data_url: DataUrl | None
    filename: str | None


def file_of(part: JsonObject) -> File:
    file = part.get("file")
    file = file if isinstance(file, dict) else {}
    raw, name = file.get("file_data"), file.get("filename")
    return File(raw, read_data_url(raw), name if isinstance(name, str) and name else None)


def cache_mark(holder: JsonObject) -> JsonObject | None:
    """The `cache_control` of a part or a message."""
    mark = holder.get("cache_control")
    return mark if isinstance(mark, dict) and mark else None
