"""The route table of the edge: which paths go straight to the gateway."""

from typing import Final

# path as sent → (path, came by a drop-in prefix). Only POST is hot; every other method falls to ASGI.
HOT_ROUTES: Final[dict[bytes, tuple[str, bool]]] = {
    b"/v1/chat/completions": ("/v1/chat/completions", False),
    b"/api/gateway/chat/completions": ("/api/gateway/chat/completions", True),
    b"/api/openrouter/chat/completions": ("/api/openrouter/chat/completions", True),
}

DROP_IN_PREFIXES: Final = (b"/api/gateway/", b"/api/openrouter/")
