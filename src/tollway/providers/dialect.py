"""Wishes that several providers of one dialect share."""

from tollway.wire.json_body import JsonObject


def without_stray_stream_options(body: JsonObject, stream: bool) -> JsonObject:
    """OpenAI refuses `stream_options` on a request that does not stream. Source: request-path 12.6.3."""
    if stream or "stream_options" not in body:
        return body
    shaped = dict(body)
    del shaped["stream_options"]
    return shaped
