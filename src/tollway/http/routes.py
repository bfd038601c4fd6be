"""The route table of the edge: which paths go straight to the gateway."""

from collections.abc import Callable, Mapping
from typing import Final

from tollway.gateway.client_dialects import ClientDialect, MessagesClient, ResponsesClient

# path as sent → (path, came by a drop-in prefix). Only POST is hot; every other method falls to ASGI.
HOT_ROUTES: Final[dict[bytes, tuple[str, bool]]] = {
    b"/v1/chat/completions": ("/v1/chat/completions", False),
    b"/v1/messages": ("/v1/messages", False),
    b"/v1/responses": ("/v1/responses", False),
    b"/api/gateway/chat/completions": ("/api/gateway/chat/completions", True),
    b"/api/openrouter/chat/completions": ("/api/openrouter/chat/completions", True),
}

# What clients speak on hot routes that are not Chat Completions.
CLIENT_DIALECTS: Final[Mapping[str, Callable[[], ClientDialect]]] = {
    "/v1/messages": MessagesClient,
    "/v1/responses": ResponsesClient,
}

DROP_IN_PREFIXES: Final = (b"/api/gateway/", b"/api/openrouter/")
