"""The body of a chat request as a gateway of its dialect wants it. Source: catalog-and-clients C.9."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from msgspec import UNSET
from msgspec.json import encode

from tollway.catalog.client_model import ClientModel
from tollway.client.errors import ClientError
from tollway.client.gateways import Gateway
from tollway.providers.dialect import least_reasoning
from tollway.providers.rule import Attempt, Draft, Target
from tollway.wire.json_body import JsonObject

COMPLETION_TOKENS_MAX: Final = 32_000
OPENROUTER: Final = "openrouter"
_EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh")
_SWITCHES: Final[Mapping[str, bool]] = {"on": True, "off": False}


class ChatRequests:
    """Makes the requests of one session: they differ in their messages only.

    variant: one of the model's own, an effort, or on and off. is_small: no thought is to be spent, unless a variant
    says so. new_uuid: a fresh random UUID each time. Raises ClientError for a variant that means nothing here.
    """

    def __init__(
        self,
        gateway: Gateway,
        model: ClientModel,
        session_id: str,
        new_uuid: Callable[[], str],
        *,
        tools: Sequence[JsonObject] = (),
        variant: str = "",
        is_small: bool = False,
    ) -> None:
        self._rules = gateway.provider.rules
        self._attempt = Attempt(Target(model.id.lower(), gateway.provider.id), stream=True, new_uuid=new_uuid)
        speaks_openrouter = gateway.provider.dialect == OPENROUTER
        self._fixed: JsonObject = {"model": model.id, "stream": True}
        if model.limit.output > 0:
            self._fixed["max_tokens"] = min(model.limit.output, COMPLETION_TOKENS_MAX)
        self._fixed |= {"prompt_cache_key": session_id} if speaks_openrouter else {}
        self._fixed |= _least(model, speaks_openrouter=speaks_openrouter) if is_small and not variant else {}
        self._fixed |= _variant_members(model, variant, speaks_openrouter=speaks_openrouter)
        self._fixed |= model.options
        self._fixed |= {"model": model.id, "stream": True}
        if tools:
            self._fixed |= {"tools": list(tools), "tool_choice": "auto"}
        usage = {"usage": {"include": True}} if speaks_openrouter else {"stream_options": {"include_usage": True}}
        self._fixed |= usage

    def request(self, messages: Sequence[JsonObject]) -> tuple[bytes, dict[str, str]]:
        """Body, and header lines that go with it besides those of the gateway; their names are lower-case."""
        draft = Draft({**self._fixed, "messages": list(messages)})
        for rule in self._rules:
            draft = rule(draft, self._attempt)
        return encode(draft.body), draft.headers


def _least(model: ClientModel, *, speaks_openrouter: bool) -> JsonObject:
    """In OpenAI's dialect a model that does not reason refuses to be told how little of it it may do."""
    if speaks_openrouter:
        return {"reasoning": least_reasoning(model.id)}
    return {"reasoning_effort": "minimal"} if model.reasoning else {}


def _variant_members(model: ClientModel, variant: str, *, speaks_openrouter: bool) -> dict[str, Any]:
    if not variant:
        return {}
    own = {} if model.variants is UNSET else model.variants
    if isinstance(own.get(variant), dict):
        return dict(own[variant])
    if variant in _EFFORTS:
        return {"reasoning": {"effort": variant}} if speaks_openrouter else {"reasoning_effort": variant}
    if variant in _SWITCHES and speaks_openrouter:
        return {"reasoning": {"enabled": _SWITCHES[variant]}}
    known = [*own, *_EFFORTS, *(_SWITCHES if speaks_openrouter else ())]
    raise ClientError(f"{model.id} has no variant {variant!r}; there are {', '.join(known)}")
