"""Custom upstreams: OpenAI-compatible endpoints of users and organizations, who pay there themselves.

There is one record for all of them; where each is and what it takes comes from its owner's row. Rules of providers and
model families do not touch their requests. Source: request-path 12.2, 12.6, 12.7.
"""

from collections.abc import Mapping
from typing import Final

from tollway.providers.provider import CHAT_COMPLETIONS, Provider
from tollway.providers.registry import Origin, Upstream, rest_of_head
from tollway.providers.user_hashes import CUSTOM
from tollway.wire.edits import without
from tollway.wire.json_body import JsonObject

# Members that plain OpenAI-compatible servers refuse or misread.
NOT_SENT: Final = frozenset(
    {"provider", "providerOptions", "transforms", "models", "plugins", "description", "reasoningEffort"}
)
NOT_SENT_AT_ONCE: Final = NOT_SENT | {"stream_options"}  # several servers refuse it on a request that does not stream

PROVIDER: Final = Provider(
    id=CUSTOM,
    name="Custom upstream",
    dialect="openai",
    base_url="",
    stops_billing_on_abort=True,
    source="https://platform.openai.com/docs/api-reference/chat",
    checked="2026-11-26",
)


def custom_upstream(base_url: str, origin: Origin, path: str, key: str, headers: Mapping[str, str]) -> Upstream:
    """The upstream at `base_url` (as stored; it is at `origin`, below `path`). `headers` are its owner's, checked; they
    stand in for ours of the same name, none of which authorises or frames a request."""
    rest = rest_of_head(origin, key, None)
    if headers:
        names = {name.lower().encode() for name in headers}
        lines = (line for line in rest.splitlines(keepends=True) if line.partition(b":")[0].lower() not in names)
        rest = b"".join(lines)
    extra = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return Upstream(
        id=CUSTOM,
        provider=PROVIDER,
        base_url=base_url,
        origin=origin,
        head=(f"POST {path}{CHAT_COMPLETIONS}".encode(), rest + extra.encode()),
        takes_query=False,
    )


def shape(body: JsonObject, *, stream: bool) -> JsonObject:
    """Without what such servers do not take."""
    shaped: JsonObject = without(body, NOT_SENT if stream else NOT_SENT_AT_ONCE)
    return shaped
