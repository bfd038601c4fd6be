"""How much text a request hands to the model: what a prompt is estimated from when nobody reports its tokens."""

from typing import Final

from tollway.wire.json_body import JsonObject, JsonValue

# Parts whose text is a file or a link: models count those by other measures, so they count for nothing here.
_FILES: Final = frozenset({"image_url", "input_audio", "file", "video_url"})


def prompt_text_bytes(body: JsonObject) -> int:
    """UTF-8 bytes of all text in the messages and tools of a chat request, without its JSON and without files."""
    return _text_bytes(body.get("messages")) + _text_bytes(body.get("tools"))


def _text_bytes(value: JsonValue) -> int:
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, list):
        return sum(_text_bytes(item) for item in value)
    if isinstance(value, dict):
        return sum(_text_bytes(item) for name, item in value.items() if name not in _FILES)
    return 0
