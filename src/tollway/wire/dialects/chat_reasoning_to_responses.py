"""Reasoning details of a chat message as the reasoning items they were made from. Source: response-path 5.8."""

from collections.abc import Sequence

from tollway.wire.dialects.details import ENCRYPTED, OPENAI, details_of
from tollway.wire.json_body import JsonObject


def reasoning_items(message: JsonObject, is_legacy: bool) -> list[JsonObject]:
    """One item for each id, with its texts as summary and its encrypted content, in the order of their first texts;
    those without any text come last. Details without an id, and those of other providers, are not understood there.
    """
    texts: dict[str, list[str]] = {}
    sealed: dict[str, str] = {}
    for detail in details_of(message, is_legacy):
        if detail.format != OPENAI or detail.id is None:
            continue
        if detail.kind == ENCRYPTED:
            sealed[detail.id] = detail.content
        else:
            texts.setdefault(detail.id, []).append(detail.content)
    return [_item(id_, texts.get(id_, ()), sealed.get(id_)) for id_ in {**texts, **sealed}]


def _item(id_: str, texts: Sequence[str], sealed: str | None) -> JsonObject:
    content = {"encrypted_content": sealed} if sealed is not None else {}
    return {
        "type": "reasoning",
        "id": id_,
        **content,
        "summary": [{"type": "summary_text", "text": text} for text in texts if text],
    }
