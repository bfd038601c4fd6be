"""Content of chat messages as parts of the Responses API. Source: response-path 5.5.1, with the reductions of 5.4.1."""

from typing import Final

from tollway.wire.dialects.content import (
    PDF,
    DataUrl,
    data_url,
    file_of,
    image_url_of,
    parts_of,
    read_data_url,
    text_of,
    web_url,
)
from tollway.wire.dialects.refusal import unsupported_part
from tollway.wire.json_body import JsonObject, JsonValue

_NAMELESS_FILE: Final = "data"
_IMAGE_DETAILS: Final = frozenset({"low", "high", "auto"})


def user_parts(content: JsonValue) -> list[JsonObject]:
    """Raises RefusedError for a part that the API does not know."""
    told = [part for part in parts_of(content) if text_of(part) != ""]
    return [_user_part(part, place) for place, part in enumerate(told)]


def _user_part(part: JsonObject, place: int) -> JsonObject:
    text = text_of(part)
    if text is not None:
        return _text(text)
    kind = part.get("type")
    if kind == "image_url":
        url = image_url_of(part)
        inline = read_data_url(url)
        shown = _shown_image(inline) if inline else web_url(url)
        if shown is not None:
            return {"type": "input_image", "image_url": shown, **_image_detail(part)}
    elif kind == "file":
        file = file_of(part)
        if file.data_url and file.data_url.media_type == PDF:
            name = file.filename or f"part-{place}.pdf"
            return {"type": "input_file", "filename": name, "file_data": data_url(PDF, file.data_url.data)}
        address = web_url(file.raw)
        if address is not None:
            return {"type": "input_file", "file_url": address}
    raise unsupported_part(kind)


def _image_detail(part: JsonObject) -> JsonObject:
    """How closely to look, which decides what the image costs."""
    image = part.get("image_url")
    detail = image.get("detail") if isinstance(image, dict) else None
    return {"detail": detail} if isinstance(detail, str) and detail in _IMAGE_DETAILS else {}


def assistant_parts(content: JsonValue) -> list[JsonObject]:
    """What the assistant said, one part for each of its texts; a refusal is something it said."""
    texts = (part.get("refusal") if part.get("type") == "refusal" else text_of(part) for part in parts_of(content))
    return [{"type": "output_text", "text": text} for text in texts if isinstance(text, str) and text]


def result_output(content: JsonValue) -> str | list[JsonObject]:
    """The result of a call. What it cannot hold is left out, or stands there as text."""
    if not isinstance(content, list):
        return content if isinstance(content, str) else ""
    return [shown for part in parts_of(content) if (shown := _result_part(part))]


def _result_part(part: JsonObject) -> JsonObject | None:
    text = text_of(part)
    if text is not None:
        return _text(text)
    kind = part.get("type")
    if kind == "image_url":
        url = image_url_of(part)
        inline = read_data_url(url)
        if inline:
            return {"type": "input_image", "image_url": _shown_image(inline)}
        return _text(url) if isinstance(url, str) else None
    return _result_file(part) if kind == "file" else None


def _result_file(part: JsonObject) -> JsonObject | None:
    file = file_of(part)
    if file.data_url is None:
        return _text(file.raw) if isinstance(file.raw, str) else None
    if file.data_url.media_type == PDF:
        return {"type": "input_file", "filename": _NAMELESS_FILE, "file_data": data_url(PDF, file.data_url.data)}
    if file.data_url.media_type.startswith("image/"):
        return {"type": "input_image", "image_url": _shown_image(file.data_url)}
    return None


def _shown_image(inline: DataUrl) -> str:
    return data_url(inline.image_type, inline.data)


def _text(text: str) -> JsonObject:
    return {"type": "input_text", "text": text}
